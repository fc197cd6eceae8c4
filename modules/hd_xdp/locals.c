/* SPDX-License-Identifier: MIT */
/* modules/hd_xdp/locals.c - which addresses are ours: the program takes nothing
 * that is for others, and nothing at all when nobody says so any more. */
#include <bpf/bpf.h>
#include <hyper-derp/worker.h>
#include <ifaddrs.h>
#include <string.h>
#include "bpf/hd_udp.skel.h"
#include "modules/hd_xdp/hd_xdp.h"

#define GOOD_NS (UINT64_C(3) * HXP_LOCALS_EVERY_MS * 1000000)

/* As the program has addresses. Returns whether it is one of those that hd's
 * socket has. */
static bool key_of(const struct sockaddr *sa, uint8_t key[16])
{
	const struct sockaddr_in *in = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;
	union hd_addr addr = { .sa.sa_family = AF_UNSPEC };
	struct hxp_pair pair;

	if (sa == NULL)
		return false;
	if (sa->sa_family == AF_INET)
		addr.in = *in;
	else if (sa->sa_family == AF_INET6)
		addr.in6 = *in6;
	if (!hxp_pair_of(&addr, &addr, &pair))
		return false;
	memcpy(key, pair.from, sizeof(pair.from));
	return true;
}

/* [::] has IPv4, too. */
static bool is_any(const union hd_addr *a)
{
	return a->sa.sa_family == AF_INET
		       ? a->in.sin_addr.s_addr == INADDR_ANY
		       : IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);
}

static void tell(const struct sockaddr *sa, uint64_t until_ns)
{
	uint8_t key[16];

	if (!key_of(sa, key))
		return;
	for (unsigned i = 0; i < hxp.n_ports; i++) {
		struct hd_udp_bpf *bpf = hxp.ports[i].bpf;

		if (bpf != NULL) /* full: the kernel has the others */
			(void)bpf_map_update_elem(
				bpf_map__fd(bpf->maps.hd_locals), key,
				&until_ns, BPF_ANY);
	}
}

void hxp_locals_tell(void)
{
	uint64_t until_ns = hd_now_ns() + GOOD_NS;
	struct ifaddrs *all = NULL;
	sa_family_t family = hxp.bind.sa.sa_family;

	if (!is_any(&hxp.bind)) {
		tell(&hxp.bind.sa, until_ns);
		return;
	}
	if (getifaddrs(&all) < 0)
		return;
	for (const struct ifaddrs *a = all; a != NULL; a = a->ifa_next)
		if (a->ifa_addr != NULL &&
		    (family == AF_INET6 || a->ifa_addr->sa_family == family))
			tell(a->ifa_addr, until_ns);
	freeifaddrs(all);
}
