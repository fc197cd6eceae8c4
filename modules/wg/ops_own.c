/* SPDX-License-Identifier: MIT */
/* modules/wg/ops_own.c - whether an endpoint is the relay itself, or everybody
 * in one of its networks. */
#include "modules/wg/ops.h"
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include "modules/wg/state.h"

static bool same_ip(const union hd_addr *a, const struct sockaddr *b)
{
	const union hd_addr *other = (const void *)b;

	if (b == NULL || b->sa_family != a->sa.sa_family)
		return false;
	return b->sa_family == AF_INET
		       ? a->in.sin_addr.s_addr == other->in.sin_addr.s_addr
		       : memcmp(&a->in6.sin6_addr, &other->in6.sin6_addr,
				sizeof(a->in6.sin6_addr)) == 0;
}

static bool is_loopback(const union hd_addr *a)
{
	return a->sa.sa_family == AF_INET &&
	       ntohl(a->in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

static bool is_any(const union hd_addr *a)
{
	return a->sa.sa_family == AF_INET6
		       ? IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr)
		       : a->in.sin_addr.s_addr == INADDR_ANY;
}

static bool is_broadcast_of(const union hd_addr *a, const struct ifaddrs *i)
{
	return (i->ifa_flags & IFF_BROADCAST) != 0 &&
	       same_ip(a, i->ifa_broadaddr);
}

/* What cannot be asked is nobody's. */
static void look(const union hd_addr *a, bool *ret_ours, bool *ret_all)
{
	struct ifaddrs *list = NULL;

	*ret_ours = is_loopback(a);
	*ret_all = false;
	if (getifaddrs(&list) < 0)
		return;
	for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
		*ret_ours |= same_ip(a, i->ifa_addr);
		*ret_all |= is_broadcast_of(a, i);
	}
	freeifaddrs(list);
}

int wg_own_check(const struct wg_conf *conf, const struct wg_entry *p,
		 struct wg_refusal *why)
{
	bool listens = conf->listen.sa.sa_family != AF_UNSPEC;
	uint16_t port = listens ? ntohs(conf->listen.in.sin_port)
				: (uint16_t)conf->port;
	const union hd_addr *a = &p->endpoint;
	bool ours, all;

	if (!wg_entry_has_endpoint(p))
		return 0;
	look(a, &ours, &all);
	if (listens && !is_any(&conf->listen))
		ours = same_ip(a, &conf->listen.sa);
	if (all)
		return wg_refuse(why, -EINVAL, "bad_args",
				 "the endpoint of %s is the broadcast address "
				 "of a network: write the peer's own",
				 p->name);
	if (!ours || ntohs(a->in.sin_port) != port)
		return 0;
	return wg_refuse(why, -EINVAL, "bad_args",
			 "the endpoint of %s is the relay's own address: write "
			 "the peer's own, or leave it out and it is learned",
			 p->name);
}
