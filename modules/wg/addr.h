/* SPDX-License-Identifier: MIT */
/* modules/wg/addr.h - an address as a key: 24 bytes, no holes. */
#pragma once
#include <hyper-derp/base.h>
#include <string.h>

struct wg_addr {
	uint8_t ip[16]; /* IPv4 mapped */
	uint32_t scope; /* the interface of an IPv6 link-local address */
	in_port_t port; /* network order */
	uint16_t set; /* 1; all zero is no address */
};
_Static_assert(sizeof(struct wg_addr) == 24, "a key has no holes");

struct wg_hash_key { /* random, so that nobody aims for one bucket */
	uint64_t v[3];
};

static inline bool wg_addr_same(const struct wg_addr *a,
				const struct wg_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static inline uint64_t wg_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static inline uint32_t wg_hash_u64(const struct wg_hash_key *key, uint64_t n)
{
	return (uint32_t)wg_mix(n ^ key->v[0], key->v[1]);
}

static inline uint32_t wg_addr_hash(const struct wg_hash_key *key,
				    const struct wg_addr *a)
{
	uint64_t w[3];

	memcpy(w, a, sizeof(w));
	return (uint32_t)wg_mix(wg_mix(w[0] ^ key->v[0], w[1] ^ key->v[1]),
				w[2] ^ key->v[2]);
}

struct wg_addr wg_addr_of(const union hd_addr *from);
void wg_addr_get(const struct wg_addr *a, union hd_addr *ret);
/* wg_addr_source - who is limited: an IPv4 address, the /64 of an IPv6 one. */
struct wg_addr wg_addr_source(const struct wg_addr *a);
const char *wg_addr_text(const struct wg_addr *a, char buf[HD_ADDR_TEXT_BYTES]);
