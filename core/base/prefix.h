/* SPDX-License-Identifier: MIT */
/* core/base/prefix.h - lists of addresses and prefixes, as operators write
 * them: 192.0.2.7, 10.0.0.0/8, 2001:db8::/32. Any thread. */
#pragma once
#include <hyper-derp/base.h>

struct hd_prefix { /* IPv4 as IPv4-mapped IPv6 */
	uint8_t addr[16];
	uint8_t bits; /* 0..128 */
};

struct hd_prefixes {
	const struct hd_prefix *v;
	size_t n;
};

/* hd_prefix_parse - an address without /BITS is a prefix of one.
 * Returns 0; -EINVAL it is none; -EDOM bits are set behind the prefix. */
int hd_prefix_parse(const char *text, struct hd_prefix *ret);
/* hd_prefix_is_all - of IPv4 or IPv6 every address is in it. */
bool hd_prefix_is_all(const struct hd_prefix *p);
/* hd_prefixes_have - whether one of them has the address; ports and scopes do
 * not matter, nor whether IPv4 stands in IPv6. */
bool hd_prefixes_have(const struct hd_prefixes *list,
		      const union hd_addr *addr);
