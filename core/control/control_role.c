/* SPDX-License-Identifier: MIT */
/* core/control/control_role.c - who is at the other end of a unix socket, and
 * what that one may do. The kernel says who (unix(7), SO_PEERCRED); nothing
 * that a client sends matters. */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "core/control/control.h"

#define DEFAULT_GROUP "hyper-derp"

int hd_role_rules(const struct hd_conf *conf, struct hd_role_rules *ret,
		  struct hd_error *err)
{
	const char *name = conf->control_group;
	const struct group *gr = getgrnam(name != NULL ? name : DEFAULT_GROUP);

	*ret = (struct hd_role_rules){
		.group = gr != NULL ? gr->gr_gid : (gid_t)-1,
		.others_read = conf->control_others == HD_OTHERS_READ,
	};
	if (gr == NULL && name != NULL)
		return hd_error_set(err, -EINVAL,
				    "control.group: there is no group %s; make "
				    "it with: groupadd --system %s",
				    name, name);
	return 0;
}

int hd_role_decide(uid_t uid, const gid_t *groups, size_t n,
		   const struct hd_role_rules *rules, enum hd_role *ret)
{
	*ret = HD_ROLE_READ;
	if (uid == 0 || uid == geteuid()) {
		*ret = HD_ROLE_ADMIN;
		return 0;
	}
	for (size_t i = 0; i < n && rules->group != (gid_t)-1; i++) {
		if (groups[i] != rules->group)
			continue;
		*ret = HD_ROLE_OPERATE;
		return 0;
	}
	return rules->others_read ? 0 : -EACCES;
}

/* The supplementary groups at the time of connect(); the primary one is in
 * the credentials. Source: net/core/sock.c, SO_PEERGROUPS. */
static gid_t *peer_groups(int fd, gid_t primary, size_t *ret_n)
{
	socklen_t len = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) < 0 &&
	    errno != ERANGE)
		len = 0;
	gid_t *v = malloc(len + sizeof(*v));

	if (v == NULL)
		return NULL;
	v[0] = primary;
	if (len > 0 &&
	    getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, v + 1, &len) < 0)
		len = 0;
	*ret_n = 1 + len / sizeof(*v);
	return v;
}

int hd_role_of(int fd, const struct hd_role_rules *rules, struct hd_who *ret)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	size_t n;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	gid_t *groups = peer_groups(fd, cred.gid, &n);

	if (groups == NULL)
		return -ENOMEM;
	*ret = (struct hd_who){ .uid = cred.uid, .pid = cred.pid };
	int r = hd_role_decide(cred.uid, groups, n, rules, &ret->role);

	free(groups);
	return r;
}
