/* SPDX-License-Identifier: MIT */
/* modules/mesh/dns.c - members that DNS names. Blocks: in a helper thread.
 *
 *   mesh.example.com:8443        each of its addresses (A, AAAA) is a member,
 *                                whose certificate is for that name
 *   _derp-mesh._tcp.example.com  each target of SRV is a member, by its own
 *                                name (RFC 2782); priority and weight do not
 *                                count, since all are dialled */
#include "modules/mesh/mesh.h"
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_MAX_BYTES 65535
#define SRV_FIXED_BYTES 6 /* priority, weight, port: before the target */

/* ---- addresses ---- */

static int add_address(struct mesh_list *list, const struct mesh_member *of,
		       const struct addrinfo *ai, struct hd_error *err)
{
	char ip[NI_MAXHOST], name[NI_MAXHOST + 16];
	bool v6 = ai->ai_family == AF_INET6;
	const struct mesh_member_conf c = {
		.name = name,
		.server = of->host,
		.tls = true,
	};

	if (getnameinfo(ai->ai_addr, ai->ai_addrlen, ip, sizeof(ip), NULL, 0,
			NI_NUMERICHOST) != 0)
		return 0;
	snprintf(name, sizeof(name), "%s%s%s:%u", v6 ? "[" : "", ip,
		 v6 ? "]" : "", of->port);
	return mesh_list_add(list, &c, err);
}

static int add_addresses(struct mesh_list *list, const struct mesh_member *of,
			 struct hd_error *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
					.ai_family = AF_UNSPEC };
	struct addrinfo *all = NULL;
	int e = getaddrinfo(of->host, NULL, &hints, &all), r = 0;

	if (e != 0)
		return hd_error_set(err, -EHOSTUNREACH, "%s: %s", of->host,
				    gai_strerror(e));
	for (struct addrinfo *ai = all; ai != NULL && r == 0; ai = ai->ai_next)
		r = add_address(list, of, ai, err);
	freeaddrinfo(all);
	return r;
}

/* ---- SRV ---- */

static int add_target(struct mesh_list *list, const ns_msg *msg,
		      const ns_rr *rr, struct hd_error *err)
{
	const uint8_t *p = ns_rr_rdata(*rr);
	char host[NS_MAXDNAME], name[NS_MAXDNAME + 8];
	const struct mesh_member_conf c = { .name = name, .tls = true };

	if (ns_rr_type(*rr) != ns_t_srv || ns_rr_rdlen(*rr) <= SRV_FIXED_BYTES)
		return 0;
	if (dn_expand(ns_msg_base(*msg), ns_msg_end(*msg), p + SRV_FIXED_BYTES,
		      host, sizeof(host)) < 0)
		return hd_error_set(err, -EBADMSG,
				    "an answer of the DNS cannot "
				    "be understood");
	if (host[0] == '\0') /* "." : there is no such service */
		return 0;
	snprintf(name, sizeof(name), "%s:%u", host, p[4] << 8 | p[5]);
	return mesh_list_add(list, &c, err);
}

int mesh_dns_take_srv(struct mesh_list *list, const uint8_t *answer,
		      size_t len_bytes, struct hd_error *err)
{
	ns_msg msg;
	ns_rr rr;
	int r = 0;

	if (ns_initparse(answer, (int)len_bytes, &msg) < 0)
		return hd_error_set(
			err, -EBADMSG,
			"an answer of the DNS cannot be understood");
	for (int i = 0; i < ns_msg_count(msg, ns_s_an) && r == 0; i++) {
		if (ns_parserr(&msg, ns_s_an, i, &rr) < 0)
			return hd_error_set(
				err, -EBADMSG,
				"an answer of the DNS cannot be understood");
		r = add_target(list, &msg, &rr, err);
	}
	return r;
}

static int add_targets(struct mesh_list *list, const char *name,
		       struct hd_error *err)
{
	static __thread uint8_t answer[ANSWER_MAX_BYTES];
	struct __res_state res = { 0 };
	int n;

	if (res_ninit(&res) < 0)
		return hd_error_set(err, -EHOSTUNREACH,
				    "the resolver does not start");
	n = res_nquery(&res, name, ns_c_in, ns_t_srv, answer, sizeof(answer));
	if (n < 0)
		hd_error_set(err, -EHOSTUNREACH, "%s: %s", name,
			     hstrerror(res.res_h_errno));
	res_nclose(&res);
	if (n < 0)
		return -EHOSTUNREACH;
	return mesh_dns_take_srv(list, answer,
				 HD_MIN((size_t)n, sizeof(answer)), err);
}

/* ---- both ---- */

/* @ret  with an address: what is behind the name and the port */
static int parse(const char *name, struct mesh_member *ret,
		 struct hd_error *err)
{
	const struct mesh_member_conf c = { .name = name, .tls = true };

	if (strchr(name, '/') != NULL)
		return hd_error_set(err, -EINVAL,
				    "%.80s: a name in DNS has no slash", name);
	return mesh_member_set(ret, &c, NULL, err);
}

int mesh_dns_check(const char *name, struct hd_error *err)
{
	struct mesh_member m;
	int r = parse(name, &m, err);

	mesh_member_free(&m);
	return r;
}

int mesh_dns_ask(const char *name, struct mesh_list **ret_list,
		 struct hd_error *err)
{
	struct mesh_list *list = mesh_list_new();
	struct mesh_member m;
	int r = parse(name, &m, err);

	if (list == NULL)
		r = hd_error_set(err, -ENOMEM, "out of memory");
	if (r == 0)
		r = name[0] == '_' ? add_targets(list, m.host, err)
				   : add_addresses(list, &m, err);
	mesh_member_free(&m);
	if (r < 0) {
		mesh_list_put(list);
		return r;
	}
	*ret_list = list;
	return 0;
}
