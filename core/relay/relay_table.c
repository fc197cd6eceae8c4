/* SPDX-License-Identifier: MIT */
/* core/relay/relay_table.c - keys to entries. Deletion shifts the entries
 * behind it back, so that there are no tombstones to walk over. */
#include <errno.h>
#include <stdlib.h>
#include "core/relay/relay_table.h"
#include "core/relay/tenant.h"

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
		    hd_key_same(&e->key, key))
			return e;
	}
}

struct hd_entry *hd_relay_table_next(const struct hd_relay_table *t,
				     uint64_t hash, const struct hd_key *key,
				     uint32_t *at)
{
	while (t->n > 0) {
		uint32_t i = (home_slot(t, hash) + (*at)++) & (t->size - 1);
		struct hd_entry *e = t->v[i];

		if (e == NULL || (e->hash == hash && hd_key_same(&e->key, key)))
			return e;
	}
	return NULL;
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
		.came = t->came,
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

int hd_relay_table_put(struct hd_relay_table *t, struct hd_entry *e)
{
	if (4 * (t->n + 1) > 3 * t->size && table_grow(t) < 0)
		return -ENOMEM;
	table_put(t, e);
	t->n++;
	t->came++;
	return 0;
}

struct hd_entry *hd_relay_table_add(struct hd_relay_table *t, uint64_t hash,
				    uint16_t realm, const struct hd_key *key)
{
	struct hd_entry *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->key = *key;
	e->realm = realm;
	e->hash = hash;
	hd_tenant_hold_again(hd_realm_tenant(realm));
	if (hd_relay_table_put(t, e) < 0)
		hd_entry_free(&e);
	return e;
}

void hd_entry_free(struct hd_entry **entry)
{
	struct hd_entry *e = hd_steal(entry);

	if (e == NULL)
		return;
	hd_tenant_drop(hd_realm_tenant(e->realm));
	free(e->limit);
	free(e);
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

void hd_relay_table_take(struct hd_relay_table *t, struct hd_entry *e)
{
	table_close_gap(t, table_slot_of(t, e));
	t->n--;
	t->version++;
}

void hd_relay_table_free(struct hd_relay_table *t)
{
	for (uint32_t i = 0; i < t->size; i++) {
		if (t->v[i] != NULL) {
			free(t->v[i]->to_notify.v);
			hd_entry_free(&t->v[i]);
		}
	}
	free(t->v);
	*t = (struct hd_relay_table){ 0 };
}

/* ---- first to last ---- */

void hd_gone_queue_in(struct hd_gone_queue *q, struct hd_entry *e)
{
	e->gone_next = NULL;
	e->gone_prev = q->last;
	if (q->last != NULL)
		q->last->gone_next = e;
	else
		q->first = e;
	q->last = e;
}

void hd_gone_queue_out(struct hd_gone_queue *q, struct hd_entry *e)
{
	if (e->gone_prev != NULL)
		e->gone_prev->gone_next = e->gone_next;
	else
		q->first = e->gone_next;
	if (e->gone_next != NULL)
		e->gone_next->gone_prev = e->gone_prev;
	else
		q->last = e->gone_prev;
}
