/* SPDX-License-Identifier: MIT */
/* modules/wg/table.c - see table.h. */
#include "modules/wg/table.h"
#include <errno.h>
#include <stdlib.h>

/* ---- pools ---- */

void wg_pool_init(struct wg_pool *p, uint32_t item_bytes, uint32_t max)
{
	*p = (struct wg_pool){ .item_bytes = item_bytes,
			       .max = max,
			       .free = WG_NONE };
}

void wg_pool_free(struct wg_pool *p)
{
	for (uint32_t i = 0; i < p->n_pages; i++)
		free(p->pages[i]);
	free(p->pages);
	wg_pool_init(p, p->item_bytes, p->max);
}

static int add_page(struct wg_pool *p)
{
	uint8_t **pages =
		realloc(p->pages, (p->n_pages + 1) * sizeof(*p->pages));

	if (pages == NULL)
		return -ENOMEM;
	p->pages = pages;
	pages[p->n_pages] = calloc(WG_PAGE_ITEMS, p->item_bytes);
	if (pages[p->n_pages] == NULL)
		return -ENOMEM;
	p->n_pages++;
	return 0;
}

void *wg_pool_add(struct wg_pool *p)
{
	struct wg_item *item;
	uint32_t id = p->free;

	if (p->used >= p->max)
		return NULL;
	if (id == WG_NONE) {
		if (p->n == p->n_pages * WG_PAGE_ITEMS && add_page(p) < 0)
			return NULL;
		id = p->n++;
		item = wg_pool_at(p, id);
	} else {
		item = wg_pool_at(p, id);
		p->free = item->next_free;
	}
	memset(item, 0, p->item_bytes);
	*item = (struct wg_item){ .id = id, .next_free = WG_LIVE };
	p->used++;
	return item;
}

void wg_pool_remove(struct wg_pool *p, void *at)
{
	struct wg_item *item = at;

	hd_assert(item->next_free == WG_LIVE);
	item->next_free = p->free;
	p->free = item->id;
	p->used--;
}

void *wg_pool_next(const struct wg_pool *p, uint32_t *id)
{
	while (*id < p->n) {
		struct wg_item *item = wg_pool_at(p, (*id)++);

		if (item->next_free == WG_LIVE)
			return item;
	}
	return NULL;
}

/* ---- indexes ---- */

void wg_index_free(struct wg_index *x)
{
	free(x->v);
	*x = (struct wg_index){ 0 };
}

static void put(struct wg_index *x, uint32_t hash, uint32_t id)
{
	uint32_t at = hash;

	while (x->v[at & x->mask].id != WG_NONE)
		at++;
	x->v[at & x->mask] = (struct wg_index_slot){ hash, id };
	x->n++;
}

/* A chain that goes round the end keeps its order: it begins behind a gap. */
static void refill(struct wg_index *to, const struct wg_index *from)
{
	uint32_t gap = 0;

	while (from->v[gap].id != WG_NONE)
		gap++;
	for (uint32_t i = 1; i <= from->mask; i++) {
		const struct wg_index_slot *s =
			&from->v[(gap + i) & from->mask];

		if (s->id != WG_NONE)
			put(to, s->hash, s->id);
	}
}

static int grow(struct wg_index *x)
{
	uint32_t slots = x->v == NULL ? 16 : (x->mask + 1) * 2;
	struct wg_index bigger = { .v = malloc(slots * sizeof(*x->v)),
				   .mask = slots - 1 };

	if (bigger.v == NULL)
		return -ENOMEM;
	memset(bigger.v, 0xff, slots * sizeof(*x->v)); /* WG_NONE */
	if (x->v != NULL)
		refill(&bigger, x);
	free(x->v);
	*x = bigger;
	return 0;
}

int wg_index_add(struct wg_index *x, uint32_t hash, uint32_t id)
{
	if (x->v == NULL || x->n >= x->mask / 4 * 3) {
		int r = grow(x);

		if (r < 0)
			return r;
	}
	put(x, hash, id);
	return 0;
}

/* What was displaced by the gap moves into it (Knuth 6.4, algorithm R). */
static void close_gap(struct wg_index *x, uint32_t gap)
{
	for (uint32_t i = (gap + 1) & x->mask; x->v[i].id != WG_NONE;
	     i = (i + 1) & x->mask) {
		uint32_t home = x->v[i].hash & x->mask;

		if (((i - home) & x->mask) < ((i - gap) & x->mask))
			continue;
		x->v[gap] = x->v[i];
		gap = i;
	}
	x->v[gap].id = WG_NONE;
}

void wg_index_remove(struct wg_index *x, uint32_t hash, uint32_t id)
{
	if (x->v == NULL)
		return;
	for (uint32_t at = hash & x->mask; x->v[at].id != WG_NONE;
	     at = (at + 1) & x->mask) {
		if (x->v[at].hash != hash || x->v[at].id != id)
			continue;
		x->n--;
		close_gap(x, at);
		return;
	}
}

/* ---- books ---- */

void wg_book_init(struct wg_book *b, uint32_t item_bytes, uint32_t max)
{
	*b = (struct wg_book){ .hand = 0 };
	wg_pool_init(&b->pool, item_bytes, max);
}

void wg_book_free(struct wg_book *b)
{
	wg_pool_free(&b->pool);
	wg_index_free(&b->index);
}

void *wg_book_find(const struct wg_book *b, const struct wg_hash_key *key,
		   const struct wg_addr *addr)
{
	uint32_t hash = wg_addr_hash(key, addr), at = hash, id;

	while (wg_index_next(&b->index, hash, &at, &id)) {
		struct wg_keyed *k = wg_pool_at(&b->pool, id);

		if (wg_addr_same(&k->addr, addr))
			return k;
	}
	return NULL;
}

void wg_book_remove(struct wg_book *b, const struct wg_hash_key *key,
		    void *keyed)
{
	struct wg_keyed *k = keyed;

	wg_index_remove(&b->index, wg_addr_hash(key, &k->addr), k->item.id);
	wg_pool_remove(&b->pool, k);
}

static void make_room(struct wg_book *b, const struct wg_hash_key *key)
{
	struct wg_keyed *k = wg_pool_next(&b->pool, &b->hand);

	if (k == NULL) {
		b->hand = 0;
		k = wg_pool_next(&b->pool, &b->hand);
	}
	wg_book_remove(b, key, k);
}

void *wg_book_get(struct wg_book *b, const struct wg_hash_key *key,
		  const struct wg_addr *addr)
{
	struct wg_keyed *k = wg_book_find(b, key, addr);

	if (k != NULL)
		return k;
	if (b->pool.used == b->pool.max)
		make_room(b, key);
	k = wg_pool_add(&b->pool);
	if (k == NULL)
		return NULL;
	k->addr = *addr;
	if (wg_index_add(&b->index, wg_addr_hash(key, addr), k->item.id) == 0)
		return k;
	wg_pool_remove(&b->pool, k);
	return NULL;
}
