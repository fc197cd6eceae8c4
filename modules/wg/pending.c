/* SPDX-License-Identifier: MIT */
/* modules/wg/pending.c - initiations that were forwarded and may be answered.
 * Bounded: the oldest makes room. */
#include "modules/wg/state.h"

enum {
	TRIES_MAX = 8, /* of one address for one peer */
	SAME_INDEX_MAX = 16, /* honest ones are random: two are rare */
};

struct wg_pending *wg_pending_at(const struct wg_engine *e, uint32_t id)
{
	struct wg_pending *p;

	if (id >= e->pendings.n)
		return NULL;
	p = wg_pool_at(&e->pendings, id);
	return p->item.next_free == WG_LIVE ? p : NULL;
}

static uint32_t hash_index(const struct wg_engine *e, uint32_t index)
{
	return wg_hash_u64(&e->hash, index);
}

static uint32_t hash_try(const struct wg_engine *e, const struct wg_addr *from,
			 uint32_t to)
{
	return wg_hash_u64(&e->hash,
			   (uint64_t)wg_addr_hash(&e->hash, from) << 32 | to);
}

void wg_pending_drop(struct wg_engine *e, struct wg_pending *p)
{
	wg_index_remove(&e->by_pending, hash_index(e, p->index), p->item.id);
	wg_index_remove(&e->by_try, hash_try(e, &p->from, p->to), p->item.id);
	wg_pool_remove(&e->pendings, p);
}

/* Less proof, then older. */
static bool goes_first(const struct wg_pending *a, const struct wg_pending *b)
{
	return a->proof != b->proof ? a->proof < b->proof
				    : a->made_ms < b->made_ms;
}

/* The next one of an address for a peer. */
static struct wg_pending *next_try(const struct wg_engine *e,
				   const struct wg_addr *from, uint32_t to,
				   struct wg_at_cursor *c)
{
	uint32_t hash = hash_try(e, from, to), id;

	if (!c->begun) {
		c->begun = true;
		c->at = hash;
	}
	while (wg_index_next(&e->by_try, hash, &c->at, &id)) {
		struct wg_pending *p = wg_pool_at(&e->pendings, id);

		if (p->to == to && wg_addr_same(&p->from, from))
			return p;
	}
	return NULL;
}

/* How many there are; the one to drop in *ret_first. */
static unsigned count_all(const struct wg_engine *e, const struct wg_addr *from,
			  uint32_t to, struct wg_pending **ret_first)
{
	struct wg_at_cursor c = { 0 };
	struct wg_pending *p;
	unsigned n = 0;

	for (*ret_first = NULL; (p = next_try(e, from, to, &c)) != NULL; n++)
		if (*ret_first == NULL || goes_first(p, *ret_first))
			*ret_first = p;
	return n;
}

unsigned wg_tries_all(const struct wg_engine *e, const struct wg_addr *from,
		      const struct wg_peer *to)
{
	struct wg_pending *first;

	return count_all(e, from, to->item.id, &first);
}

unsigned wg_tries(const struct wg_engine *e, const struct wg_addr *from,
		  const struct wg_peer *to, enum wg_proof least)
{
	struct wg_at_cursor c = { 0 };
	const struct wg_pending *p;
	unsigned n = 0;

	while ((p = next_try(e, from, to->item.id, &c)) != NULL)
		n += !p->done && p->proof >= least;
	return n;
}

/* Their answers may be on the way still: who forges an exchange must not make
 * the relay forget a real one. */
void wg_tries_done(struct wg_engine *e, const struct wg_addr *from,
		   const struct wg_peer *to)
{
	struct wg_at_cursor c = { 0 };
	struct wg_pending *p;

	while ((p = next_try(e, from, to->item.id, &c)) != NULL)
		p->done = true;
}

static void make_room(struct wg_engine *e)
{
	struct wg_pending *p = wg_pool_next(&e->pendings, &e->swept_pending);

	if (p == NULL) {
		e->swept_pending = 0;
		p = wg_pool_next(&e->pendings, &e->swept_pending);
	}
	wg_pending_drop(e, p);
}

/* @ret_n      how many have this index
 * @ret_other  one for the same peer that came from elsewhere, or NULL */
static struct wg_pending *find_same(const struct wg_engine *e, uint32_t index,
				    uint32_t to, const struct wg_addr *from,
				    unsigned *ret_n,
				    struct wg_pending **ret_other)
{
	struct wg_at_cursor c = { 0 };
	struct wg_pending *p;

	*ret_other = NULL;
	for (*ret_n = 0; (p = wg_pending_next(e, index, &c)) != NULL;
	     (*ret_n)++) {
		if (p->to != to)
			continue;
		if (wg_addr_same(&p->from, from))
			return p;
		*ret_other = p;
	}
	return NULL;
}

struct wg_pending *wg_pending_new(struct wg_engine *e, uint32_t index,
				  const struct wg_peer *to,
				  const struct wg_addr *from, bool known)
{
	struct wg_pending *first, *p, *other;
	unsigned n;
	int r;

	p = find_same(e, index, to->item.id, from, &n, &other);
	if (p != NULL || n >= SAME_INDEX_MAX)
		return p; /* a copy: it is not judged later for that */
	/* The answer would go to one of the two: to a known address, if any,
	 * else to who came first. The other one is a copy. */
	if (other != NULL && (!known || other->known))
		return NULL;
	if (other != NULL)
		wg_pending_drop(e, other);
	if (count_all(e, from, to->item.id, &first) >= TRIES_MAX)
		wg_pending_drop(e, first);
	if (e->pendings.used == e->pendings.max)
		make_room(e);
	p = wg_pool_add(&e->pendings);
	if (p == NULL)
		return NULL;
	p->index = index;
	p->to = to->item.id;
	p->to_serial = to->serial;
	p->from = *from;
	p->made_ms = e->now_ms;
	r = wg_index_add(&e->by_pending, hash_index(e, index), p->item.id);
	if (r == 0)
		r = wg_index_add(&e->by_try, hash_try(e, from, p->to),
				 p->item.id);
	if (r == 0)
		return p;
	wg_pending_drop(e, p);
	return NULL;
}

struct wg_pending *wg_pending_next(const struct wg_engine *e, uint32_t index,
				   struct wg_at_cursor *c)
{
	uint32_t hash = hash_index(e, index), id;

	if (!c->begun) {
		c->begun = true;
		c->at = hash;
	}
	while (wg_index_next(&e->by_pending, hash, &c->at, &id)) {
		struct wg_pending *p = wg_pool_at(&e->pendings, id);

		if (p->index == index)
			return p;
	}
	return NULL;
}

/* Nobody answered it. Where the one it was for is alive, it was no good; an
 * initiation in its name does not show that, anybody can make one. Only
 * who gave proof in this very message gets a strike: what an address did before
 * does not say who sends in its name now. */
static void judge(struct wg_engine *e, const struct wg_pending *p)
{
	struct wg_peer *to = wg_peer(e, p->to);
	struct wg_caller *c;

	if (!p->judge || p->answered || p->done || p->known ||
	    to->serial != p->to_serial || to->alive_ms <= p->made_ms)
		return;
	wg_drop(e, WG_DROP_RELEARN_UNCONFIRMED, &p->from, to);
	wg_suspect(e, &p->from);
	c = p->proof == WG_PROOF_NOW ? wg_caller_find(e, &p->from) : NULL;
	if (c == NULL ||
	    (c->struck_ms != 0 && e->now_ms - c->struck_ms < WG_PENDING_MS))
		return;
	c->struck_ms = e->now_ms;
	wg_strike(e, &p->from);
}

void wg_pendings_sweep(struct wg_engine *e, uint32_t n)
{
	struct wg_pending *p = NULL;

	for (; n > 0; n--) {
		p = wg_pool_next(&e->pendings, &e->swept_pending);
		if (p == NULL)
			break;
		if (e->now_ms - p->made_ms < WG_PENDING_MS)
			continue;
		judge(e, p);
		wg_pending_drop(e, p);
	}
	if (p == NULL)
		e->swept_pending = 0;
}
