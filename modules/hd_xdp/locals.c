/* SPDX-License-Identifier: MIT */
/* modules/hd_xdp/locals.c - which addresses are ours: the program takes nothing
 * that is for others, and nothing at all when nobody says so any more. */
#include <bpf/bpf.h>
#include <errno.h>
#include <hyper-derp/worker.h>
#include <ifaddrs.h>
#include <netpacket/packet.h>
#include <string.h>
#include "bpf/hd_udp.skel.h"
#include "modules/hd_xdp/hd_xdp.h"

#define GOOD_NS (UINT64_C(3) * HXP_LOCALS_EVERY_MS * 1000000)

/* ---- IP addresses ---- */

/* As the program has addresses. Returns whether it has such. */
static bool key_of(const struct sockaddr *sa, uint8_t key[16])
{
	const struct sockaddr_in *in = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;
	union hd_addr addr = { .sa.sa_family = AF_UNSPEC };
	struct hxp_pair pair;

	if (sa->sa_family == AF_INET)
		addr.in = *in;
	else if (sa->sa_family == AF_INET6)
		addr.in6 = *in6;
	if (!hxp_pair_of(&addr, &addr, &pair))
		return false;
	memcpy(key, pair.from, sizeof(pair.from));
	return true;
}

/* Whether hd's socket has it. [::] has IPv4, too. */
static bool is_bound(const struct sockaddr *sa)
{
	const union hd_addr *a = &hxp.bind;
	const struct sockaddr_in *in = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;

	if (a->sa.sa_family == AF_INET6 &&
	    IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr))
		return true;
	if (a->sa.sa_family != sa->sa_family)
		return false;
	return sa->sa_family == AF_INET
		       ? a->in.sin_addr.s_addr == INADDR_ANY ||
				 a->in.sin_addr.s_addr == in->sin_addr.s_addr
		       : IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr,
					    &in6->sin6_addr);
}

/* Addresses that this host has had and has no more make room. */
static void forget_old(int map, uint64_t now_ns)
{
	uint8_t key[16], next[16];
	uint64_t until_ns;
	int r = bpf_map_get_next_key(map, NULL, key);

	while (r == 0) {
		r = bpf_map_get_next_key(map, key, next);
		if (bpf_map_lookup_elem(map, key, &until_ns) == 0 &&
		    until_ns < now_ns)
			(void)bpf_map_delete_elem(map, key);
		memcpy(key, next, sizeof(key));
	}
}

/* A map that is full is cleared the next time; the kernel has what does not
 * fit. */
static void tell_port(struct hxp_port *port, const struct ifaddrs *all,
		      bool bound, uint64_t now_ns)
{
	int map = bpf_map__fd(port->bpf->maps.hd_locals);
	uint64_t until_ns = bound ? now_ns + GOOD_NS : 0;
	uint8_t key[16];

	for (const struct ifaddrs *a = all; a != NULL; a = a->ifa_next)
		if (a->ifa_addr != NULL && is_bound(a->ifa_addr) == bound &&
		    key_of(a->ifa_addr, key) &&
		    bpf_map_update_elem(map, key, &until_ns, BPF_ANY) ==
			    -E2BIG)
			port->full = true;
}

/* What datagrams come to is more than what they cannot come from. */
static void tell(struct hxp_port *port, const struct ifaddrs *all)
{
	uint64_t now_ns = hd_now_ns();

	if (port->full)
		forget_old(bpf_map__fd(port->bpf->maps.hd_locals), now_ns);
	port->full = false;
	tell_port(port, all, true, now_ns);
	tell_port(port, all, false, now_ns);
}

/* ---- interfaces ---- */

/* By its number: another one of the same name is not it. Returns NULL: gone. */
static const struct sockaddr_ll *find(const struct ifaddrs *all,
				      const struct hxp_port *port)
{
	for (const struct ifaddrs *a = all; a != NULL; a = a->ifa_next) {
		const struct sockaddr_ll *ll = (const void *)a->ifa_addr;

		if (ll != NULL && ll->sll_family == AF_PACKET &&
		    ll->sll_ifindex == port->ifindex)
			return ll;
	}
	return NULL;
}

static void look_at(struct hxp_port *port, const struct ifaddrs *all)
{
	const struct sockaddr_ll *ll = find(all, port);

	__atomic_store_n(&port->gone, ll == NULL, __ATOMIC_RELAXED);
	if (ll != NULL && ll->sll_halen == HXP_MAC_BYTES)
		memcpy((void *)port->bpf->bss->hd_mac, ll->sll_addr,
		       HXP_MAC_BYTES);
}

void hxp_locals_tell(void)
{
	struct ifaddrs *all = NULL;

	if (getifaddrs(&all) < 0)
		return;
	for (unsigned i = 0; i < hxp.n_ports; i++) {
		struct hxp_port *port = &hxp.ports[i];

		if (port->bpf == NULL)
			continue;
		look_at(port, all);
		tell(port, all);
	}
	freeifaddrs(all);
}
