/* SPDX-License-Identifier: MIT */
/* core/daemon/daemon_user.c - limits and privileges, where no service manager
 * has set them. */
#include <errno.h>
#include <grp.h>
#include <hyper-derp/log.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "core/base/secret.h"
#include "core/base/state_file.h"
#include "core/daemon/daemon.h"

void hd_raise_nofile(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return;
	lim.rlim_cur = lim.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &lim) < 0)
		hd_log_warn("cannot raise the limit of open files: "
			    "error=\"%s\"",
			    strerror(errno));
	else
		hd_log_info("open files are limited: max=%ju",
			    (uintmax_t)lim.rlim_cur);
}

int hd_user_become(const char *name, uid_t uid, gid_t gid, struct hd_error *err)
{
	if (initgroups(name, gid) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		return hd_error_set(err, -errno, "user: cannot become %s: %s",
				    name, strerror(errno));
	return 0;
}

int hd_user_prepare(const struct hd_conf *conf, struct hd_error *err)
{
	uid_t uid;
	gid_t gid;

	if (conf->user == NULL || geteuid() != 0)
		return 0;
	int r = hd_conf_user(conf, &uid, &gid, err);
	return r < 0 ? r : hd_state_dir_owner(uid, gid, err);
}

int hd_user_drop(const struct hd_conf *conf, struct hd_error *err)
{
	uid_t uid;
	gid_t gid;

	if (conf->user == NULL)
		return 0;
	if (geteuid() != 0) {
		hd_log_info("user: is ignored, the relay was not started as "
			    "root");
		return 0;
	}
	int r = hd_conf_user(conf, &uid, &gid, err);
	if (r == 0)
		r = hd_user_become(conf->user, uid, gid, err);
	if (r < 0)
		return r;
	hd_process_protect(conf->core_dumps); /* the change has reset it */
	hd_log_notice("privileges dropped: user=%s uid=%u gid=%u", conf->user,
		      (unsigned)uid, (unsigned)gid);
	return 0;
}
