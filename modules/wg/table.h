/* SPDX-License-Identifier: MIT */
/* modules/wg/table.h - what grows with the number of peers: pools whose items
 * stay where they are, and indexes of small numbers. Plain memory, no
 * pointers to code: a reload keeps it. */
#pragma once
#include <hyper-derp/base.h>
#include "modules/wg/addr.h"

#define WG_NONE UINT32_MAX
#define WG_PAGE_ITEMS 256

/* Items begin with this. */
struct wg_item {
	uint32_t id;
	uint32_t next_free; /* while free; live: WG_LIVE */
};
#define WG_LIVE (UINT32_MAX - 1)

struct wg_pool {
	uint8_t **pages;
	uint32_t n_pages, n; /* ids given so far */
	uint32_t used, max, item_bytes;
	uint32_t free; /* first of a list, or WG_NONE */
};

void wg_pool_init(struct wg_pool *p, uint32_t item_bytes, uint32_t max);
void wg_pool_free(struct wg_pool *p);
/* wg_pool_add - a zeroed item. NULL: out of memory, or max are in use. */
void *wg_pool_add(struct wg_pool *p);
void wg_pool_remove(struct wg_pool *p, void *item);
/* wg_pool_next - the first live item from *id on; *id is then behind it. */
void *wg_pool_next(const struct wg_pool *p, uint32_t *id);

static inline void *wg_pool_at(const struct wg_pool *p, uint32_t id)
{
	hd_assert(id < p->n);
	return p->pages[id / WG_PAGE_ITEMS] +
	       (size_t)(id % WG_PAGE_ITEMS) * p->item_bytes;
}

/* Numbers by hash; the same hash may stand there several times. Open
 * addressing, at most three quarters full, no tombstones. */
struct wg_index {
	struct wg_index_slot {
		uint32_t hash;
		uint32_t id; /* WG_NONE: empty */
	} *v;
	uint32_t mask, n;
};

void wg_index_free(struct wg_index *x);
/* Returns 0; -ENOMEM. */
int wg_index_add(struct wg_index *x, uint32_t hash, uint32_t id);
void wg_index_remove(struct wg_index *x, uint32_t hash, uint32_t id);

/* uint32_t at = hash, id;
 * while (wg_index_next(x, hash, &at, &id)) … */
static inline bool wg_index_next(const struct wg_index *x, uint32_t hash,
				 uint32_t *at, uint32_t *ret_id)
{
	if (x->v == NULL)
		return false;
	for (;; (*at)++) {
		const struct wg_index_slot *s = &x->v[*at & x->mask];

		if (s->id == WG_NONE)
			return false;
		if (s->hash != hash)
			continue;
		*ret_id = s->id;
		(*at)++;
		return true;
	}
}

/* A bounded table of addresses: when it is full, an old entry makes room. */
struct wg_keyed { /* items begin with this */
	struct wg_item item;
	struct wg_addr addr;
};

struct wg_book {
	struct wg_pool pool;
	struct wg_index index;
	uint32_t hand; /* the next to make room */
};

void wg_book_init(struct wg_book *b, uint32_t item_bytes, uint32_t max);
void wg_book_free(struct wg_book *b);
void *wg_book_find(const struct wg_book *b, const struct wg_hash_key *key,
		   const struct wg_addr *addr);
/* wg_book_get - find, else a fresh one, zeroed but for the address.
 * NULL: out of memory. */
void *wg_book_get(struct wg_book *b, const struct wg_hash_key *key,
		  const struct wg_addr *addr);
void wg_book_remove(struct wg_book *b, const struct wg_hash_key *key,
		    void *keyed);
