/* SPDX-License-Identifier: MIT */
/* core/base/key.h - comparing and hashing public keys. Any thread. */
#pragma once
#include <hyper-derp/base.h>
#include <string.h>

static inline bool hd_key_same(const struct hd_key *a, const struct hd_key *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* A realm's number: below which protocols, above which tenant of the relay
 * (core/relay/tenant.h). */
enum {
	HD_REALM_PROTOCOL_BITS = 5,
	HD_REALM_PROTOCOL_MASK = (1 << HD_REALM_PROTOCOL_BITS) - 1,
};

/* hd_key_hash - SipHash under a key of this process, so that nobody can mint
 * keys that land on one worker or in one bucket. The same in all tenants. */
uint64_t hd_key_hash(uint16_t realm, const struct hd_key *key);
/* hd_text_hash - of a text, under the same key. */
uint64_t hd_text_hash(const char *text);
void hd_key_hash_seed(void); /* once, before workers start */
