/* SPDX-License-Identifier: MIT */
/* core/relay_table.c - keys to entries; sets of keys. Deletion shifts the
 * entries behind it back, so that there are no tombstones to walk over. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "core/relay_table.h"

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
	memcpy(in, key, HD_KEY_BYTES);
	memcpy(in + HD_KEY_BYTES, &realm, sizeof(realm));
	crypto_shorthash((unsigned char *)&hash, in, sizeof(in), hash_seed);
	return hash;
}

static bool same_key(const struct hd_key *a, const struct hd_key *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static uint32_t home_slot(const struct hd_relay_table *t, uint64_t hash)
{
	return (uint32_t)(hash >> 32) & (t->size - 1);
}

struct hd_entry *hd_relay_table_find(const struct hd_relay_table *t,
				     uint64_t hash, uint16_t realm,
				     const struct hd_key *key)
{
	if (t->n == 0)
		return NULL;
	for (uint32_t i = home_slot(t, hash);; i = (i + 1) & (t->size - 1)) {
		struct hd_entry *e = t->v[i];

		if (e == NULL)
			return NULL;
		if (e->hash == hash && e->realm == realm &&
		    same_key(&e->key, key))
			return e;
	}
}

static void table_put(struct hd_relay_table *t, struct hd_entry *e)
{
	uint32_t i = home_slot(t, e->hash);

	while (t->v[i] != NULL)
		i = (i + 1) & (t->size - 1);
	t->v[i] = e;
}

static int table_grow(struct hd_relay_table *t)
{
	struct hd_relay_table wide = {
		.size = t->size ? 2 * t->size : 64,
		.n = t->n,
		.version = t->version,
	};

	wide.v = calloc(wide.size, sizeof(*wide.v));
	if (wide.v == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->size; i++)
		if (t->v[i] != NULL)
			table_put(&wide, t->v[i]);
	free(t->v);
	*t = wide;
	return 0;
}

struct hd_entry *hd_relay_table_add(struct hd_relay_table *t, uint64_t hash,
				    uint16_t realm, const struct hd_key *key)
{
	struct hd_entry *e;

	if (4 * (t->n + 1) > 3 * t->size && table_grow(t) < 0)
		return NULL;
	e = calloc(1, sizeof(*e));
	if (e == NULL)
		return NULL;
	e->key = *key;
	e->realm = realm;
	e->hash = hash;
	table_put(t, e);
	t->n++;
	return e;
}

static uint32_t table_slot_of(const struct hd_relay_table *t,
			      const struct hd_entry *e)
{
	uint32_t i = home_slot(t, e->hash);

	while (t->v[i] != e)
		i = (i + 1) & (t->size - 1);
	return i;
}

/* Closes the gap at i: an entry behind it moves up unless that would put it
 * before its own home slot. */
static void table_close_gap(struct hd_relay_table *t, uint32_t gap)
{
	uint32_t mask = t->size - 1;

	t->v[gap] = NULL;
	for (uint32_t i = (gap + 1) & mask; t->v[i] != NULL;
	     i = (i + 1) & mask) {
		uint32_t home = home_slot(t, t->v[i]->hash);

		if (((i - home) & mask) >= ((i - gap) & mask)) {
			t->v[gap] = t->v[i];
			t->v[i] = NULL;
			gap = i;
		}
	}
}

void hd_relay_table_remove(struct hd_relay_table *t, struct hd_entry **entry)
{
	struct hd_entry *e = hd_steal(entry);

	table_close_gap(t, table_slot_of(t, e));
	t->n--;
	t->version++;
	hd_keyset_free(&e->told);
	free(e);
}

void hd_relay_table_free(struct hd_relay_table *t)
{
	for (uint32_t i = 0; i < t->size; i++) {
		if (t->v[i] != NULL) {
			hd_keyset_free(&t->v[i]->told);
			free(t->v[i]);
		}
	}
	free(t->v);
	*t = (struct hd_relay_table){ 0 };
}

static const struct hd_key no_key;

static uint32_t keyset_home(const struct hd_keyset *set,
			    const struct hd_key *key)
{
	return (uint32_t)hd_key_hash(0, key) & (set->size - 1);
}

static uint32_t keyset_slot(const struct hd_keyset *set,
			    const struct hd_key *key)
{
	uint32_t i = keyset_home(set, key);

	while (!same_key(&set->v[i], &no_key) && !same_key(&set->v[i], key))
		i = (i + 1) & (set->size - 1);
	return i;
}

static int keyset_grow(struct hd_keyset *set)
{
	struct hd_keyset wide = { .size = set->size ? 2 * set->size : 4 };

	wide.v = calloc(wide.size, sizeof(*wide.v));
	if (wide.v == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < set->size; i++)
		if (!same_key(&set->v[i], &no_key))
			wide.v[keyset_slot(&wide, &set->v[i])] = set->v[i];
	wide.n = set->n;
	free(set->v);
	*set = wide;
	return 0;
}

/* As in the table: what stands behind the gap moves up. */
static void keyset_close_gap(struct hd_keyset *set, uint32_t gap)
{
	uint32_t mask = set->size - 1;

	set->v[gap] = no_key;
	set->n--;
	for (uint32_t i = (gap + 1) & mask; !same_key(&set->v[i], &no_key);
	     i = (i + 1) & mask) {
		uint32_t home = keyset_home(set, &set->v[i]);

		if (((i - home) & mask) >= ((i - gap) & mask)) {
			set->v[gap] = set->v[i];
			set->v[i] = no_key;
			gap = i;
		}
	}
}

void hd_keyset_remove(struct hd_keyset *set, const struct hd_key *key)
{
	if (hd_keyset_has(set, key))
		keyset_close_gap(set, keyset_slot(set, key));
}

/* Any but the newcomer: where that would stand, as its hash wants it. */
static void keyset_evict(struct hd_keyset *set, const struct hd_key *newcomer)
{
	uint32_t i = keyset_home(set, newcomer);

	while (same_key(&set->v[i], &no_key))
		i = (i + 1) & (set->size - 1);
	keyset_close_gap(set, i);
}

int hd_keyset_add(struct hd_keyset *set, const struct hd_key *key)
{
	uint32_t i;

	if (set->n == HD_KEYSET_MAX && !hd_keyset_has(set, key))
		keyset_evict(set, key);
	if (set->n < HD_KEYSET_MAX && 4 * (set->n + 1) > 3 * set->size &&
	    keyset_grow(set) < 0)
		return -ENOMEM;
	i = keyset_slot(set, key);
	if (same_key(&set->v[i], key))
		return 0;
	set->v[i] = *key;
	set->n++;
	return 1;
}

bool hd_keyset_has(const struct hd_keyset *set, const struct hd_key *key)
{
	return set->n > 0 && same_key(&set->v[keyset_slot(set, key)], key);
}

void hd_keyset_free(struct hd_keyset *set)
{
	free(set->v);
	*set = (struct hd_keyset){ 0 };
}
