/* SPDX-License-Identifier: MIT */
/* modules/wg/setup.c - the engine begins, learns what is registered, does what
 * time asks for, and ends. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/worker.h>
#include <sodium.h>
#include <stdlib.h>
#include "modules/wg/state.h"

int wg_engine_new(struct hd_module *mod, struct hd_worker *w,
		  struct wg_engine **ret)
{
	struct wg_engine *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return -ENOMEM;
	e->searches = calloc(1, sizeof(*e->searches));
	if (e->searches == NULL) {
		free(e);
		return -ENOMEM;
	}
	e->mod = mod;
	e->w = w;
	e->now_ms = hd_now_ms(w);
	randombytes_buf(&e->hash, sizeof(e->hash));
	for (unsigned i = 0; i < 3; i++)
		e->hash.v[i] |= 1;
	memset(e->hot, 0xff, sizeof(e->hot)); /* WG_NONE */
	wg_pool_init(&e->peers, sizeof(struct wg_peer), WG_POOL_PEERS);
	wg_pool_init(&e->links, sizeof(struct wg_link), WG_POOL_LINKS);
	wg_pool_init(&e->sessions, sizeof(struct wg_session),
		     (uint32_t)WG_POOL_LINKS * WG_LINK_SESSIONS);
	wg_pool_init(&e->pendings, sizeof(struct wg_pending), WG_PENDING_MAX);
	wg_pool_init(&e->ats, sizeof(struct wg_at), UINT32_MAX);
	wg_book_init(&e->callers, sizeof(struct wg_caller), WG_CALLERS_MAX);
	wg_book_init(&e->sources, sizeof(struct wg_source), WG_SOURCES_MAX);
	wg_book_init(&e->blocks, sizeof(struct wg_block), WG_BLOCKS_MAX);
	wg_book_init(&e->drop_sources, sizeof(struct wg_drop_source),
		     WG_DROP_SOURCES_MAX);
	*ret = e;
	return 0;
}

void wg_engine_free(struct wg_engine **engine)
{
	struct wg_engine *e = hd_steal(engine);
	uint32_t at = 0;
	struct wg_peer *p;

	if (e == NULL)
		return;
	while ((p = wg_pool_next(&e->peers, &at)) != NULL) {
		free(p->links);
		free(p->could_be);
		free(p->callers);
	}
	struct wg_pool *const pools[] = { &e->peers, &e->links, &e->sessions,
					  &e->pendings, &e->ats };
	struct wg_index *const indexes[] = { &e->by_key,     &e->by_name,
					     &e->by_pair,    &e->by_index,
					     &e->by_pending, &e->by_try,
					     &e->by_addr };
	struct wg_book *const books[] = { &e->callers, &e->sources, &e->blocks,
					  &e->drop_sources };

	for (unsigned i = 0; i < HD_ARRAY_N(pools); i++)
		wg_pool_free(pools[i]);
	for (unsigned i = 0; i < HD_ARRAY_N(indexes); i++)
		wg_index_free(indexes[i]);
	for (unsigned i = 0; i < HD_ARRAY_N(books); i++)
		wg_book_free(books[i]);
	sodium_memzero(e->secret, sizeof(e->secret));
	free(e->keys);
	free(e->searches);
	wg_saving_free(e);
	free(e);
}

/* ---- a whole plan ---- */

/* Whatever the plan does not name goes. Marks lie beside the items. */
static void drop_others(struct wg_engine *e, const struct wg_pool *pool,
			const uint8_t *marks, bool peers)
{
	uint32_t at = 0;
	void *item;

	while ((item = wg_pool_next(pool, &at)) != NULL) {
		if (marks[at - 1])
			continue;
		if (peers)
			wg_peer_drop(e, item);
		else
			wg_link_drop(e, item);
	}
}

static void put_links(struct wg_engine *e, const struct wg_plan *plan,
		      uint8_t *marks)
{
	for (uint32_t i = 0; i < plan->n_links; i++) {
		struct wg_peer *a = wg_peer_by_name(e, plan->links[i].a);
		struct wg_peer *b = wg_peer_by_name(e, plan->links[i].b);
		const struct wg_link *l;

		if (a == NULL || b == NULL || a == b ||
		    wg_link_put(e, a, b) < 0)
			continue;
		l = wg_link_between(e, a->item.id, b->item.id);
		marks[l->item.id] = 1;
	}
}

static void put_peers(struct wg_engine *e, const struct wg_plan *plan,
		      uint8_t *marks)
{
	for (uint32_t i = 0; i < plan->n_peers; i++)
		if (wg_peer_put(e, &plan->peers[i]) == 0)
			marks[wg_peer_by_name(e, plan->peers[i].name)
				      ->item.id] = 1;
}

void wg_engine_plan(struct wg_engine *e, const struct wg_plan *plan)
{
	uint8_t *peers = calloc(1, (size_t)e->peers.n + plan->n_peers + 1);
	uint8_t *links = calloc(1, (size_t)e->links.n + plan->n_links + 1);

	if (peers != NULL && links != NULL) {
		put_peers(e, plan, peers);
		put_links(e, plan, links);
		drop_others(e, &e->links, links, false);
		drop_others(e, &e->peers, peers, true);
	} else {
		hd_log_error("wg: out of memory, the roster is not in effect");
	}
	free(peers);
	free(links);
}
