/* SPDX-License-Identifier: MIT */
/* modules/wg/read.c - what commands may see. */
#include <errno.h>
#include "modules/wg/state.h"

static uint64_t ago(const struct wg_engine *e, uint64_t at_ms)
{
	return at_ms == 0 ? UINT64_MAX : e->now_ms - at_ms;
}

struct way { /* that the last packet went */
	uint64_t heard_ms; /* 0: none yet, then it is where one would go */
	bool xdp;
	bool fresh; /* ask the kernel now: for few sessions */
};

static void last_way(const struct wg_session *s, struct way *way)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct wg_end *end = &s->end[i];

		if (s->heard_ms[i] < way->heard_ms || !s->confirmed)
			continue;
		if (s->heard_ms[i] > way->heard_ms)
			way->xdp = false;
		way->heard_ms = s->heard_ms[i];
		way->xdp |= end->xdp && (s->heard_ms[i] == 0 ||
					 end->xdp_ms >= s->heard_ms[i]);
	}
}

static void count_sessions(struct wg_engine *e, const struct wg_link *l,
			   uint32_t *n, struct way *way)
{
	struct wg_session *s;

	wg_each_session (e, l, s) {
		if (way->fresh)
			s->read_ms = 0;
		wg_paths_read(e, s);
		wg_session_fold(e, s);
		*n += s->confirmed;
		last_way(s, way);
	}
}

static void fill_peer(struct wg_engine *e, const struct wg_peer *p,
		      struct wg_peer_info *ret)
{
	struct wg_addr candidates[WG_CANDIDATES];
	uint32_t n_sessions = 0;
	struct way way = { .fresh = p->n_links <= WG_FEW_LINKS };

	for (uint32_t i = 0; i < p->n_links; i++)
		count_sessions(e, wg_link(e, p->links[i]), &n_sessions, &way);

	*ret = (struct wg_peer_info){
		.name = p->name,
		.has_key = p->has_key,
		.has_endpoint = p->endpoint.set,
		.fixed = p->fixed,
		.n_links = p->n_links,
		.n_sessions = n_sessions,
		.xdp = way.xdp,
		.seen_ms = ago(e, p->seen_ms),
		.handshake_ms = ago(e, p->handshake_ms),
		.rx = p->rx,
		.tx = p->tx,
		.relearned = p->relearned,
	};
	memcpy(ret->key, p->key, sizeof(ret->key));
	memcpy(ret->drops, p->drops, sizeof(ret->drops));
	wg_addr_get(&p->endpoint, &ret->endpoint);
	ret->n_candidates = wg_candidates(e, p, candidates);
	for (uint32_t i = 0; i < ret->n_candidates; i++)
		wg_addr_get(&candidates[i], &ret->candidates[i]);
}

bool wg_engine_peer_next(struct wg_engine *e, uint64_t *cursor,
			 struct wg_peer_info *ret)
{
	uint32_t at = (uint32_t)*cursor;
	const struct wg_peer *p = wg_pool_next(&e->peers, &at);

	*cursor = at;
	if (p != NULL)
		fill_peer(e, p, ret);
	return p != NULL;
}

int wg_engine_peer_find(struct wg_engine *e, const char *name,
			struct wg_peer_info *ret)
{
	const struct wg_peer *p = wg_peer_by_name(e, name);

	if (p == NULL)
		return -ENOENT;
	fill_peer(e, p, ret);
	return 0;
}

static void fill_link(struct wg_engine *e, const struct wg_link *l,
		      unsigned first, struct wg_link_info *ret)
{
	uint32_t n_sessions = 0;
	struct way way = { .fresh = true };

	count_sessions(e, l, &n_sessions, &way);
	*ret = (struct wg_link_info){
		.n_sessions = n_sessions,
		.a = wg_peer(e, l->peer[first])->name,
		.b = wg_peer(e, l->peer[!first])->name,
		.handshake_ms = ago(e, l->handshake_ms),
		.a_to_b = l->sum[first],
		.b_to_a = l->sum[!first],
	};
}

bool wg_engine_link_next(struct wg_engine *e, uint64_t *cursor,
			 struct wg_link_info *ret)
{
	uint32_t at = (uint32_t)*cursor;
	const struct wg_link *l = wg_pool_next(&e->links, &at);

	*cursor = at;
	if (l != NULL)
		fill_link(e, l, 0, ret);
	return l != NULL;
}

bool wg_engine_link_of(struct wg_engine *e, const char *name, uint64_t *cursor,
		       struct wg_link_info *ret)
{
	const struct wg_peer *p = wg_peer_by_name(e, name);
	const struct wg_link *l;

	if (p == NULL || *cursor >= p->n_links)
		return false;
	l = wg_link(e, p->links[(*cursor)++]);
	fill_link(e, l, wg_side(l, p->item.id), ret);
	return true;
}

void wg_engine_totals(struct wg_engine *e, struct wg_totals *ret)
{
	*ret = e->sum;
	ret->peers = e->peers.used;
	ret->links = e->links.used;
	ret->sessions = e->sessions.used;
	ret->pending = e->pendings.used;
	ret->pressure = wg_pressure(e);
}
