/* SPDX-License-Identifier: MIT */
/* modules/hd/addresses.c - a table with one place for each identity, which it
 * shares with others: the last one has it. Which ones share follows from a key
 * of this table, so that nobody can choose whom he puts out. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "modules/hd/addresses.h"

struct entry {
	uint8_t identity[HD_KEY_BYTES];
	struct hd_key address; /* never 0 of an identity: then it is empty */
};

struct hdp_addresses {
	uint8_t key[crypto_shorthash_KEYBYTES];
	struct entry v[HDP_ADDRESSES_N];
};

_Static_assert((HDP_ADDRESSES_N & (HDP_ADDRESSES_N - 1)) == 0, "a mask");

struct hdp_addresses *hdp_addresses_new(void)
{
	struct hdp_addresses *a = calloc(1, sizeof(*a));

	if (a != NULL)
		crypto_shorthash_keygen(a->key);
	return a;
}

void hdp_addresses_free(struct hdp_addresses **a)
{
	free(*a);
	*a = NULL;
}

static struct entry *place_of(struct hdp_addresses *a, const uint8_t *identity)
{
	uint8_t hash[crypto_shorthash_BYTES];
	uint32_t at;

	crypto_shorthash(hash, identity, HD_KEY_BYTES, a->key);
	memcpy(&at, hash, sizeof(at));
	return &a->v[at & (HDP_ADDRESSES_N - 1)];
}

static bool is_of(const struct entry *e, const uint8_t *identity)
{
	return memcmp(e->identity, identity, HD_KEY_BYTES) == 0 &&
	       !sodium_is_zero(e->address.b, HD_KEY_BYTES);
}

int hdp_address_of(struct hdp_addresses *a, const uint8_t *identity,
		   struct hd_key *ret)
{
	struct entry *e = a != NULL ? place_of(a, identity) : NULL;

	if (e != NULL && is_of(e, identity)) {
		*ret = e->address;
		return 0;
	}
	if (crypto_sign_ed25519_pk_to_curve25519(ret->b, identity) != 0)
		return -EINVAL;
	if (e != NULL) {
		memcpy(e->identity, identity, HD_KEY_BYTES);
		e->address = *ret;
	}
	return 0;
}
