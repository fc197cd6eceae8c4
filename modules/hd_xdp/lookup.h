/* SPDX-License-Identifier: MIT */
/* modules/hd_xdp/lookup.h - the way to an address, as the kernel would send a
 * datagram of ours: its route and its neighbour, by rtnetlink(7). Needs no
 * rights and no forwarding, which bpf_fib_lookup() does. It may wait for a lock
 * of the kernel: for a helper thread. */
#pragma once
#include "modules/hd_xdp/frame.h"

struct hxp_route {
	uint32_t ifindex;
	uint32_t mtu; /* of the IP packet */
	uint8_t next[HXP_MAC_BYTES], ours[HXP_MAC_BYTES];
};

/* hxp_lookup_open - a socket for some. Returns it; -errno.
 * hxp_lookup - @from_port  routes may be chosen by ports
 * Returns 0; -EHOSTUNREACH there is no plain way: no route, no neighbour whose
 * address is known, an encapsulation; what else netlink says. */
int hxp_lookup_open(void);
int hxp_lookup(int fd, const struct hxp_pair *pair, in_port_t from_port,
	       struct hxp_route *ret);
