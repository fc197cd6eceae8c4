/* SPDX-License-Identifier: MIT */
/* libhd/identity.c - who we are, and keys as text. */
#include <errno.h>
#include <stdlib.h>
#include "libhd/inner.h"
#include "modules/hd/bech32.h"

#define IDENTITY_PART "hd"

char *libhd_key_text(const struct libhd_key *key, char *ret)
{
	return hdp_bech32_text(IDENTITY_PART, key->v, sizeof(key->v), ret,
			       LIBHD_KEY_TEXT_BYTES);
}

int libhd_key_parse(const char *text, struct libhd_key *ret)
{
	return hdp_bech32_bytes(IDENTITY_PART, text, ret->v, sizeof(ret->v));
}

int libhd_identity_from_seed(const uint8_t seed[LIBHD_SEED_BYTES],
			     struct libhd_identity **ret)
{
	struct libhd_identity *id;

	if (sodium_init() < 0)
		return -EIO;
	id = calloc(1, sizeof(*id));
	if (id == NULL)
		return -ENOMEM;
	crypto_sign_seed_keypair(id->key.v, id->secret, seed);
	*ret = id;
	return 0;
}

int libhd_identity_new(struct libhd_identity **ret)
{
	uint8_t seed[LIBHD_SEED_BYTES];
	int r;

	if (sodium_init() < 0)
		return -EIO;
	randombytes_buf(seed, sizeof(seed));
	r = libhd_identity_from_seed(seed, ret);
	sodium_memzero(seed, sizeof(seed));
	return r;
}

const struct libhd_key *libhd_identity_key(const struct libhd_identity *id)
{
	return &id->key;
}

void libhd_identity_free(struct libhd_identity **id)
{
	if (*id == NULL)
		return;
	sodium_memzero(*id, sizeof(**id));
	free(*id);
	*id = NULL;
}
