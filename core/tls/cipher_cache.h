/* SPDX-License-Identifier: MIT */
/* core/tls/cipher_cache.h - expanded keys of one worker: so many and no more. A
 * connection owns its keys; what is made of them for encrypting, a kilobyte a
 * direction, it has only while it is busy. Making it again costs 0.1 to 0.3 us.
 *
 * Always: a cipher's owner points to it, and it points to its owner; whose
 * cipher is taken away finds NULL there. Context: the worker. */
#pragma once
#include "core/tls/aead.h"

#define HD_CIPHERS_MAX 2048

struct hd_cipher {
	struct hd_cipher_cache *home;
	const struct hd_aead *aead;
	const struct hd_tls_suite *suite;
	void *key; /* the provider's; NULL: the slot is free */
	union {
		struct hd_cipher **owner;
		struct hd_cipher *next; /* of a free one */
	};
	bool used; /* since the hand or hd_cipher_evict_unused() came by */
};

struct hd_cipher_cache { /* zeroed: empty */
	struct hd_cipher slots[HD_CIPHERS_MAX];
	struct hd_cipher *free;
	unsigned n; /* the first n slots have been in use */
	unsigned n_busy; /* have an owner */
	unsigned hand; /* of the clock: who is the next to lose his */
	/* until somebody takes them: uses of a key that was expanded already,
	 * keys that were expanded, those of others that gave way to one */
	uint64_t hits, misses, evictions;
};

/* hd_cipher_get - the one that *owner points to, or one that is made for it of
 * the suite's key_bytes at key, if need be by taking another's away. owner
 * stays where it is until hd_cipher_put(). Returns NULL when out of memory. */
struct hd_cipher *hd_cipher_get(struct hd_cipher_cache *cache,
				const struct hd_tls_suite *suite, bool encrypt,
				const uint8_t *key, struct hd_cipher **owner);
/* hd_cipher_put - not needed any more, or the key has changed; it is wiped.
 * Nothing happens to NULL. */
void hd_cipher_put(struct hd_cipher **owner);
/* hd_cipher_evict_unused - takes away what was not used since the last time. */
void hd_cipher_evict_unused(struct hd_cipher_cache *cache);
void hd_cipher_cache_free(struct hd_cipher_cache *cache);
