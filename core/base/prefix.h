/* SPDX-License-Identifier: MIT */
/* core/base/prefix.h - lists of addresses and prefixes. Any thread. */
#pragma once
#include <hyper-derp/prefix.h>

struct hd_prefixes {
	const struct hd_prefix *v;
	size_t n;
};

/* hd_prefix_of - in which an address is: an IPv4 address by itself, one of IPv6
 * with those that have the same first bits. @bits  of IPv6, 0..128 */
struct hd_prefix hd_prefix_of(const union hd_addr *addr, unsigned bits);
/* hd_prefix_is_all - of IPv4 or IPv6 every address is in it. */
bool hd_prefix_is_all(const struct hd_prefix *p);
/* hd_prefixes_have - whether one of them has the address. */
bool hd_prefixes_have(const struct hd_prefixes *list,
		      const union hd_addr *addr);
