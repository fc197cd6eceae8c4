/* SPDX-License-Identifier: MIT */
/* core/base/key.c - the hash of a public key. */
#include "core/base/key.h"
#include <sodium.h>
#include <string.h>

static unsigned char hash_seed[crypto_shorthash_KEYBYTES];

void hd_key_hash_seed(void)
{
	crypto_shorthash_keygen(hash_seed);
}

uint64_t hd_key_hash(uint16_t realm, const struct hd_key *key)
{
	unsigned char in[HD_KEY_BYTES + sizeof(realm)];
	uint64_t hash;

	_Static_assert(sizeof(hash) == crypto_shorthash_BYTES, "64 bits");
	realm &= HD_REALM_PROTOCOL_MASK;
	memcpy(in, key, HD_KEY_BYTES);
	memcpy(in + HD_KEY_BYTES, &realm, sizeof(realm));
	crypto_shorthash((unsigned char *)&hash, in, sizeof(in), hash_seed);
	return hash;
}

uint64_t hd_text_hash(const char *text)
{
	uint64_t hash;

	crypto_shorthash((unsigned char *)&hash, (const unsigned char *)text,
			 strlen(text), hash_seed);
	return hash;
}
