/* SPDX-License-Identifier: MIT */
/* modules/wg/mac1.c - keyed BLAKE2s (RFC 7693) of one message under eight keys.
 * Lane i of a vector belongs to key i; the message words are the same in all.
 * Tested against OpenSSL's BLAKE2SMAC. */
#include "modules/wg/mac1.h"
#include <errno.h>
#include <hyper-derp/base.h>
#include <openssl/evp.h>
#include <string.h>

enum { BLOCK_BYTES = 64, BLOCKS_MAX = 3 };

static const uint32_t iv[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19
};
static const uint8_t sigma[10][16] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
	{ 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 },
	{ 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
	{ 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 },
	{ 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
	{ 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 },
	{ 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
	{ 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 },
	{ 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
};

typedef uint32_t lanes __attribute__((vector_size(4 * WG_MAC1_LANES)));

struct block { /* of the message */
	uint32_t m[16];
	uint32_t t, last; /* bytes so far, key block and all; ~0 at the end */
};

#define INLINE static inline __attribute__((always_inline))
#define ROTR(x, n) ((x) >> (n) | (x) << (32 - (n)))

#define G(a, b, c, d, x, y)                                                    \
	do {                                                                   \
		v[a] += v[b] + (x);                                            \
		v[d] = ROTR(v[d] ^ v[a], 16);                                  \
		v[c] += v[d];                                                  \
		v[b] = ROTR(v[b] ^ v[c], 12);                                  \
		v[a] += v[b] + (y);                                            \
		v[d] = ROTR(v[d] ^ v[a], 8);                                   \
		v[c] += v[d];                                                  \
		v[b] = ROTR(v[b] ^ v[c], 7);                                   \
	} while (0)

INLINE void compress(lanes h[8], const struct block *b)
{
	const lanes zero = { 0 };
	lanes v[16];

	for (unsigned i = 0; i < 8; i++) {
		v[i] = h[i];
		v[i + 8] = zero + iv[i];
	}
	v[12] ^= zero + b->t;
	v[14] ^= zero + b->last;
	for (unsigned r = 0; r < 10; r++) {
		const uint8_t *s = sigma[r];

		G(0, 4, 8, 12, b->m[s[0]], b->m[s[1]]);
		G(1, 5, 9, 13, b->m[s[2]], b->m[s[3]]);
		G(2, 6, 10, 14, b->m[s[4]], b->m[s[5]]);
		G(3, 7, 11, 15, b->m[s[6]], b->m[s[7]]);
		G(0, 5, 10, 15, b->m[s[8]], b->m[s[9]]);
		G(1, 6, 11, 12, b->m[s[10]], b->m[s[11]]);
		G(2, 7, 8, 13, b->m[s[12]], b->m[s[13]]);
		G(3, 4, 9, 14, b->m[s[14]], b->m[s[15]]);
	}
	for (unsigned i = 0; i < 8; i++)
		h[i] ^= v[i] ^ v[i + 8];
}

/* Returns the lanes whose mac it is, one bit each. */
INLINE unsigned search(const struct wg_mac1_key *const *keys, unsigned n,
		       const struct block *blocks, unsigned n_blocks,
		       const uint32_t mac[4])
{
	const lanes zero = { 0 };
	lanes h[8], differs = zero;
	unsigned found = 0;

	for (unsigned i = 0; i < 8; i++)
		for (unsigned k = 0; k < WG_MAC1_LANES; k++)
			h[i][k] = keys[k < n ? k : 0]->h[i];
	for (unsigned i = 0; i < n_blocks; i++)
		compress(h, &blocks[i]);
	for (unsigned i = 0; i < 4; i++)
		differs |= h[i] ^ (zero + mac[i]);
	for (unsigned k = 0; k < n; k++)
		found |= (unsigned)(differs[k] == 0) << k;
	return found;
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static unsigned
search_avx2(const struct wg_mac1_key *const *keys, unsigned n,
	    const struct block *blocks, unsigned n_blocks,
	    const uint32_t mac[4])
{
	return search(keys, n, blocks, n_blocks, mac);
}
#endif

static unsigned search_any(const struct wg_mac1_key *const *keys, unsigned n,
			   const struct block *blocks, unsigned n_blocks,
			   const uint32_t mac[4])
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2"))
		return search_avx2(keys, n, blocks, n_blocks, mac);
#endif
	return search(keys, n, blocks, n_blocks, mac);
}

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static void load(struct block *b, const uint8_t *p, size_t n)
{
	uint8_t padded[BLOCK_BYTES] = { 0 };

	memcpy(padded, p, n);
	for (unsigned i = 0; i < 16; i++)
		b->m[i] = le32(padded + 4 * i);
}

int wg_mac1_try(const struct wg_mac1_key *const *keys, unsigned n,
		const uint8_t *message, size_t len,
		const uint8_t mac[WG_MAC_BYTES])
{
	struct block blocks[BLOCKS_MAX] = { 0 };
	unsigned last = (unsigned)(len - 1) / BLOCK_BYTES, found;
	uint32_t words[4];

	hd_assert(n > 0 && n <= WG_MAC1_LANES && len > 0 && last < BLOCKS_MAX);
	for (unsigned i = 0; i <= last; i++) {
		size_t at = (size_t)i * BLOCK_BYTES;

		load(&blocks[i], message + at,
		     HD_MIN(len - at, (size_t)BLOCK_BYTES));
		blocks[i].t = (i + 2) * BLOCK_BYTES;
	}
	blocks[last].t = (uint32_t)(BLOCK_BYTES + len);
	blocks[last].last = UINT32_MAX;
	for (unsigned i = 0; i < 4; i++)
		words[i] = le32(mac + 4 * (size_t)i);
	found = search_any(keys, n, blocks, last + 1, words);
	return found == 0 ? -1 : __builtin_ctz(found);
}

/* ---- keys ---- */

int wg_label_hash(const char label[8], const uint8_t pub[32], uint8_t ret[32])
{
	uint8_t both[40];

	memcpy(both, label, 8);
	memcpy(both + 8, pub, 32);
	return EVP_Digest(both, sizeof(both), ret, NULL, EVP_blake2s256(),
			  NULL) == 1
		       ? 0
		       : -ENOMEM;
}

/* The first block is the key, padded (RFC 7693, 2.9). */
void wg_mac_key_set(struct wg_mac1_key *k, const uint8_t *key, size_t n)
{
	struct block b = { .t = BLOCK_BYTES };
	lanes h[8];

	load(&b, key, n);
	for (unsigned i = 0; i < 8; i++)
		h[i] = (lanes){ 0 } + iv[i];
	h[0] ^= (lanes){ 0 } +
		(0x01010000u | (uint32_t)n << 8 | WG_MAC_BYTES);
	compress(h, &b);
	for (unsigned i = 0; i < 8; i++)
		k->h[i] = h[i][0];
}

int wg_mac1_key_init(struct wg_mac1_key *k, const uint8_t pub[32])
{
	uint8_t key[32];
	int r = wg_label_hash("mac1----", pub, key);

	if (r == 0)
		wg_mac_key_set(k, key, sizeof(key));
	return r;
}
