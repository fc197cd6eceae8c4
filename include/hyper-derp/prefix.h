/* SPDX-License-Identifier: MIT */
/* hyper-derp/prefix.h - addresses and prefixes, as operators write them:
 * 192.0.2.7, 10.0.0.0/8, 2001:db8::/32. Any thread; nothing allocates. */
#pragma once
#include <hyper-derp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hd_prefix { /* IPv4 as IPv4-mapped IPv6 */
	uint8_t addr[16];
	uint8_t bits; /* 0..128 */
};

/* hd_prefix_parse - an address without /BITS is a prefix of one.
 * Returns 0; -EINVAL it is none; -EDOM bits are set behind the prefix. */
HD_API int hd_prefix_parse(const char *text, struct hd_prefix *ret);

/* hd_prefix_has - whether the address is in it; ports and scopes do not matter.
 * An IPv4 address is one by IPv4 also where a listener for both shows it as
 * IPv6: so ::/0 has none of them, and 0.0.0.0/0 has them all. */
HD_API bool hd_prefix_has(const struct hd_prefix *p, const union hd_addr *addr);

#ifdef __cplusplus
}
#endif
