/* SPDX-License-Identifier: MIT */
/* modules/wg/places.c - where peers are: their endpoints, and the addresses
 * that may turn out to be theirs. */
#include <errno.h>
#include <stdlib.h>
#include "modules/wg/state.h"

/* ---- peers at an address ---- */

static struct wg_at *find_at(const struct wg_engine *e,
			     const struct wg_addr *addr, uint32_t peer)
{
	uint32_t hash = wg_addr_hash(&e->hash, addr), at = hash, id;

	while (wg_index_next(&e->by_addr, hash, &at, &id)) {
		struct wg_at *here = wg_pool_at(&e->ats, id);

		if (here->peer == peer && wg_addr_same(&here->addr, addr))
			return here;
	}
	return NULL;
}

int wg_at_add(struct wg_engine *e, const struct wg_addr *addr, uint32_t peer)
{
	struct wg_at *here;
	int r;

	hd_assert(addr->set);
	here = find_at(e, addr, peer);
	if (here != NULL) {
		here->refs++;
		return 0;
	}
	here = wg_pool_add(&e->ats);
	if (here == NULL)
		return -ENOMEM;
	here->addr = *addr;
	here->peer = peer;
	here->refs = 1;
	r = wg_index_add(&e->by_addr, wg_addr_hash(&e->hash, addr),
			 here->item.id);
	if (r < 0)
		wg_pool_remove(&e->ats, here);
	else
		wg_block_spare(e, addr);
	return r;
}

void wg_at_drop(struct wg_engine *e, const struct wg_addr *addr, uint32_t peer)
{
	struct wg_at *here = addr->set ? find_at(e, addr, peer) : NULL;

	if (here == NULL || --here->refs > 0)
		return;
	wg_index_remove(&e->by_addr, wg_addr_hash(&e->hash, addr),
			here->item.id);
	wg_pool_remove(&e->ats, here);
}

struct wg_peer *wg_at_next(const struct wg_engine *e,
			   const struct wg_addr *addr, struct wg_at_cursor *c)
{
	uint32_t hash = wg_addr_hash(&e->hash, addr), id;

	if (!c->begun) {
		c->begun = true;
		c->at = hash;
	}
	while (wg_index_next(&e->by_addr, hash, &c->at, &id)) {
		const struct wg_at *here = wg_pool_at(&e->ats, id);

		if (wg_addr_same(&here->addr, addr))
			return wg_peer(e, here->peer);
	}
	return NULL;
}

bool wg_is_known(const struct wg_engine *e, const struct wg_addr *addr)
{
	return wg_at_next(e, addr, &(struct wg_at_cursor){ 0 }) != NULL;
}

bool wg_is_host_known(const struct wg_engine *e, const struct wg_addr *source)
{
	uint32_t at = 0;
	const struct wg_at *here;

	while ((here = wg_pool_next(&e->ats, &at)) != NULL) {
		struct wg_addr host = wg_addr_source(&here->addr);

		if (wg_addr_same(&host, source))
			return true;
	}
	return false;
}

/* ---- endpoints ---- */

static void sessions_follow(struct wg_engine *e, struct wg_link *l,
			    unsigned side, const struct wg_addr *old,
			    const struct wg_addr *addr,
			    const struct wg_addr *local)
{
	struct wg_session *s;

	wg_each_session (e, l, s)
		if (wg_addr_same(&s->end[side].addr, old))
			wg_session_move(e, s, side, addr, local);
}

void wg_peer_learn(struct wg_engine *e, struct wg_peer *p,
		   const struct wg_addr *addr, const struct wg_addr *local)
{
	struct wg_addr old = p->endpoint;

	if (local->set)
		p->local = *local;
	if (wg_addr_same(&old, addr))
		return;
	if (wg_at_add(e, addr, p->item.id) < 0)
		return;
	e->sum.confirmed += addr->set - old.set;
	p->endpoint = *addr;
	wg_at_drop(e, &old, p->item.id);
	e->dirty_ms = e->now_ms;
}

void wg_peer_move(struct wg_engine *e, struct wg_peer *p,
		  const struct wg_addr *addr, const struct wg_addr *local)
{
	struct wg_addr old = p->endpoint;

	wg_peer_learn(e, p, addr, local);
	if (wg_addr_same(&p->endpoint, &old))
		return;
	for (uint32_t i = 0; old.set && i < p->n_links; i++) {
		struct wg_link *l = wg_link(e, p->links[i]);

		sessions_follow(e, l, wg_side(l, p->item.id), &old, addr,
				local);
	}
}

void wg_peer_forget(struct wg_engine *e, struct wg_peer *p)
{
	wg_at_drop(e, &p->endpoint, p->item.id);
	e->sum.confirmed -= p->endpoint.set;
	p->endpoint = p->local = (struct wg_addr){ 0 };
	e->rings -= (p->could_be != NULL) + (p->callers != NULL);
	free(p->could_be);
	free(p->callers);
	p->could_be = p->callers = NULL;
}

/* ---- candidates ---- */

static struct wg_ring *ring_of(struct wg_engine *e, struct wg_ring **at)
{
	if (*at != NULL || e->rings >= WG_RINGS_MAX)
		return *at;
	*at = calloc(1, sizeof(**at));
	e->rings += *at != NULL;
	return *at;
}

/* To the front. One host has at most two places: it cannot push out others. */
static void ring_put(struct wg_ring *ring, const struct wg_addr *addr)
{
	struct wg_addr source = wg_addr_source(addr);
	struct wg_ring old = *ring;
	unsigned n = 1, same = 1;

	ring->addr[0] = *addr;
	for (unsigned i = 0; i < WG_CANDIDATES && n < WG_CANDIDATES; i++) {
		struct wg_addr other = wg_addr_source(&old.addr[i]);

		if (!old.addr[i].set || wg_addr_same(&old.addr[i], addr))
			continue;
		if (wg_addr_same(&other, &source) && ++same > 2)
			continue;
		ring->addr[n++] = old.addr[i];
	}
	while (n < WG_CANDIDATES)
		ring->addr[n++] = (struct wg_addr){ 0 };
}

/* Whoever wants `to` may be any key that is linked with it. Where these are
 * many, it is noted once, at `to`, and looked for from the other side. */
void wg_candidate_note(struct wg_engine *e, struct wg_peer *to,
		       const struct wg_addr *addr)
{
	struct wg_ring *ring;

	if (to->n_links > WG_FEW_LINKS) {
		ring = ring_of(e, &to->callers);
		if (ring != NULL)
			ring_put(ring, addr);
		return;
	}
	for (uint32_t i = 0; i < to->n_links; i++) {
		struct wg_peer *p = wg_other(e, wg_link(e, to->links[i]),
					     to->item.id);

		ring = ring_of(e, &p->could_be);
		if (ring != NULL)
			ring_put(ring, addr);
	}
}

static bool is_proven(const struct wg_engine *e, const struct wg_addr *addr)
{
	return wg_caller_proof(e, wg_caller_find(e, addr)) >= WG_PROOF_BEFORE;
}

/* Whose proof holds, and who is not somebody else. */
static void collect(const struct wg_engine *e, const struct wg_ring *ring,
		    struct wg_addr *ret, unsigned *n)
{
	for (unsigned i = 0; ring != NULL && i < WG_CANDIDATES; i++) {
		const struct wg_addr *a = &ring->addr[i];
		bool fits = a->set && is_proven(e, a) && !wg_is_known(e, a);

		for (unsigned k = 0; k < *n; k++)
			fits &= !wg_addr_same(&ret[k], a);
		if (fits && *n < WG_CANDIDATES)
			ret[(*n)++] = *a;
	}
}

unsigned wg_candidates(const struct wg_engine *e, const struct wg_peer *p,
		       struct wg_addr ret[WG_CANDIDATES])
{
	uint32_t few = HD_MIN(p->n_links, (uint32_t)WG_FEW_LINKS);
	unsigned n = 0;

	collect(e, p->could_be, ret, &n);
	for (uint32_t i = 0; i < few && n < WG_CANDIDATES; i++) {
		const struct wg_peer *other =
			wg_other(e, wg_link(e, p->links[i]), p->item.id);

		collect(e, other->callers, ret, &n);
	}
	return n;
}
