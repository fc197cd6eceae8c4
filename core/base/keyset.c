/* SPDX-License-Identifier: MIT */
/* core/base/keyset.c - sets of keys. Deletion shifts what stands behind back,
 * as in the relay table. */
#include "core/base/keyset.h"
#include <errno.h>
#include <stdlib.h>
#include "core/base/key.h"

enum {
	SMALL = 64, /* places: these need no leave */
	LARGEST = HD_KEYSET_MAX / 3 * 4,
};

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

	while (!hd_key_same(&set->v[i], &no_key) &&
	       !hd_key_same(&set->v[i], key))
		i = (i + 1) & (set->size - 1);
	return i;
}

static bool may_grow(uint32_t size, uint64_t sum)
{
	if (size <= SMALL)
		return true;
	return size <= LARGEST &&
	       sum + (uint64_t)size * sizeof(struct hd_key) <= HD_KEYSETS_BYTES;
}

static int keyset_grow(struct hd_keyset *set, struct hd_gauge *sum)
{
	struct hd_keyset wide = { .size = set->size ? 2 * set->size : 4 };

	if (!may_grow(wide.size, (uint64_t)sum->n))
		return -ENOSPC;
	wide.v = calloc(wide.size, sizeof(*wide.v));
	if (wide.v == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < set->size; i++)
		if (!hd_key_same(&set->v[i], &no_key))
			wide.v[keyset_slot(&wide, &set->v[i])] = set->v[i];
	wide.n = set->n;
	hd_gauge_add(sum, (int64_t)(wide.size - set->size) * HD_KEY_BYTES);
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
	for (uint32_t i = (gap + 1) & mask; !hd_key_same(&set->v[i], &no_key);
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

	while (hd_key_same(&set->v[i], &no_key))
		i = (i + 1) & (set->size - 1);
	keyset_close_gap(set, i);
}

int hd_keyset_try(struct hd_keyset *set, const struct hd_key *key,
		  struct hd_gauge *sum)
{
	uint32_t i;

	if (hd_keyset_has(set, key))
		return 0;
	if (4 * (set->n + 1) > 3 * set->size) {
		int r = keyset_grow(set, sum);

		if (r < 0)
			return r;
	}
	i = keyset_slot(set, key);
	set->v[i] = *key;
	set->n++;
	return 1;
}

int hd_keyset_add(struct hd_keyset *set, const struct hd_key *key,
		  struct hd_gauge *sum)
{
	int r = hd_keyset_try(set, key, sum);

	if (r >= 0 || set->n == 0)
		return r;
	keyset_evict(set, key);
	hd_keyset_try(set, key, sum);
	return HD_KEYSET_INSTEAD;
}

bool hd_keyset_next(const struct hd_keyset *set, uint32_t *at, uint32_t *looks,
		    struct hd_key *ret)
{
	if (set->n == 0)
		return false;
	for (; *at<set->size && * looks> 0; (*at)++, (*looks)--) {
		if (hd_key_same(&set->v[*at], &no_key))
			continue;
		*ret = set->v[*at];
		return true;
	}
	return false;
}

bool hd_keyset_has(const struct hd_keyset *set, const struct hd_key *key)
{
	return set->n > 0 && hd_key_same(&set->v[keyset_slot(set, key)], key);
}

void hd_keyset_free(struct hd_keyset *set, struct hd_gauge *sum)
{
	hd_gauge_add(sum, -(int64_t)set->size * HD_KEY_BYTES);
	free(set->v);
	*set = (struct hd_keyset){ 0 };
}
