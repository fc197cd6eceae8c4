/* SPDX-License-Identifier: MIT */
/* modules/wg/sessions.c - tunnels: which index leads where.
 *
 *   response forwarded         first data of the initiator     data of both
 *   ------------------> ANSWERED -----------------> CONFIRMED -------> STANDING
 *                          |                            |                 |
 *                          `----- make room, time ------'     superseded, time
 *
 * standing.c says who makes room for whom. Each session knows its own two
 * addresses: whatever else is believed about a peer's endpoint, a tunnel that
 * works goes on working. */
#include "modules/wg/state.h"
#include "modules/wg/wire.h"

enum {
	ANSWERED_MS = 20000, /* data follows a response at once */
	OLDEST_MS = WG_REJECT_AFTER_MS + 20000, /* no peer takes its data now */
	ASK_TIMES = 3, /* bytes for each byte that came from there */
	ASK_MAX_BYTES = 1 << 16,
};

struct wg_session *wg_session(const struct wg_engine *e, uint32_t id)
{
	return wg_pool_at(&e->sessions, id);
}

static uint32_t hash_index(const struct wg_engine *e, uint32_t index)
{
	return wg_hash_u64(&e->hash, (uint64_t)index << 1 | 1);
}

static void links_remove(const struct wg_engine *e, struct wg_link *l,
			 const struct wg_session *gone)
{
	struct wg_session *s;

	if (l->newest == gone->item.id)
		l->newest = gone->older;
	wg_each_session (e, l, s)
		if (s->older == gone->item.id)
			s->older = gone->older;
}

static void remove_session(struct wg_engine *e, struct wg_session *s)
{
	struct wg_link *l = wg_link(e, s->link);

	wg_paths_remove(e, s);
	wg_session_fold(e, s);
	for (unsigned i = 0; i < 2; i++) {
		wg_index_remove(&e->by_index, hash_index(e, s->end[i].index),
				s->item.id * 2 + i);
		if (s->stands)
			wg_at_drop(e, &s->end[i].addr, l->peer[i]);
	}
	links_remove(e, l, s);
	wg_pool_remove(&e->sessions, s);
}

void wg_session_end(struct wg_engine *e, struct wg_session *s, const char *why)
{
	if (s->confirmed)
		wg_tell_ended(e, s, why);
	e->dirty_ms = e->now_ms;
	remove_session(e, s);
}

struct wg_session *wg_session_new(struct wg_engine *e, struct wg_link *l,
				  unsigned initiator,
				  const struct wg_end ends[2], unsigned proofs)
{
	unsigned away = wg_room(e, l, ends);
	struct wg_session *s = wg_pool_add(&e->sessions);
	int r = 0;

	if (s == NULL)
		return NULL;
	s->link = l->item.id;
	s->initiator = (uint8_t)initiator;
	s->away = (uint8_t)away;
	s->proofs = (uint8_t)proofs;
	s->made_ms = s->used_ms = s->read_ms = e->now_ms;
	s->older = l->newest;
	l->newest = s->item.id;
	for (unsigned i = 0; i < 2 && r == 0; i++) {
		s->end[i] = ends[i];
		s->ask_bytes[i] = ASK_TIMES * WG_RESPONSE_BYTES;
		r = wg_index_add(&e->by_index, hash_index(e, ends[i].index),
				 s->item.id * 2 + i);
	}
	if (r == 0)
		return s;
	remove_session(e, s);
	return NULL;
}

/* Several may have one index from one address: answers to an initiation that
 * was answered twice. They lead to the same place, and what has proven most is
 * the one; the order in the table means nothing. */
static unsigned worth(const struct wg_session *s, bool here)
{
	return here ? 4 + 2 * s->stands + s->confirmed : s->stands;
}

static struct wg_session *find_best(const struct wg_engine *e, uint32_t index,
				    const struct wg_addr *from,
				    unsigned *ret_to, bool *ret_here)
{
	uint32_t hash = hash_index(e, index), at = hash, id;
	struct wg_session *best = NULL;
	unsigned most = 0;

	while (wg_index_next(&e->by_index, hash, &at, &id)) {
		struct wg_session *s = wg_session(e, id / 2);
		unsigned to = id % 2, w;
		bool here;

		if (s->end[to].index != index)
			continue;
		here = wg_addr_same(&s->end[!to].addr, from);
		w = worth(s, here);
		if (best != NULL && w <= most)
			continue;
		best = s;
		most = w;
		*ret_to = to;
		*ret_here = here;
	}
	return best;
}

struct wg_session *wg_session_find(const struct wg_engine *e, uint32_t index,
				   const struct wg_addr *from,
				   unsigned *ret_to, bool *ret_here)
{
	uint32_t hash = hash_index(e, index), at = hash, id;

	/* nothing is worth more, and nearly all packets end here */
	while (wg_index_next(&e->by_index, hash, &at, &id)) {
		struct wg_session *s = wg_session(e, id / 2);
		unsigned to = id % 2;

		if (!s->stands || s->end[to].index != index ||
		    !wg_addr_same(&s->end[!to].addr, from))
			continue;
		*ret_to = to;
		*ret_here = true;
		return s;
	}
	return find_best(e, index, from, ret_to, ret_here);
}

unsigned wg_session_others(const struct wg_engine *e, uint32_t index,
			   const struct wg_link *l)
{
	uint32_t hash = hash_index(e, index), at = hash, id;
	unsigned n = 0;

	while (wg_index_next(&e->by_index, hash, &at, &id)) {
		const struct wg_session *s = wg_session(e, id / 2);

		n += s->end[id % 2].index == index && s->link != l->item.id;
	}
	return n;
}

void wg_session_fetch_slot(const struct wg_engine *e, uint32_t index)
{
	if (e->by_index.v != NULL)
		__builtin_prefetch(&e->by_index.v[hash_index(e, index) &
						  e->by_index.mask]);
}

void wg_session_fetch(const struct wg_engine *e, uint32_t index)
{
	uint32_t hash = hash_index(e, index), at = hash, id;
	const char *s;

	if (!wg_index_next(&e->by_index, hash, &at, &id))
		return;
	s = (const char *)wg_session(e, id / 2);
	for (size_t i = 0; i < offsetof(struct wg_session, read_ms); i += 64)
		__builtin_prefetch(s + i, 1);
}

void wg_session_move(struct wg_engine *e, struct wg_session *s, unsigned side,
		     const struct wg_addr *addr, const struct wg_addr *local)
{
	struct wg_end *end = &s->end[side];
	uint32_t peer = wg_link(e, s->link)->peer[side];
	struct wg_addr old = end->addr;

	if (s->stands && wg_at_add(e, addr, peer) < 0)
		return;
	wg_paths_remove(e, s);
	end->addr = *addr;
	if (local->set)
		end->local = *local;
	s->roams &= (uint8_t)~(1 << side);
	if (s->stands)
		wg_at_drop(e, &old, peer);
	wg_paths_put(e, s);
}

/* Somebody may have made up that a peer is there. */
static void allow_asking(struct wg_session *s, unsigned side, uint64_t bytes)
{
	s->ask_bytes[side] =
		(uint32_t)HD_MIN(s->ask_bytes[side] + ASK_TIMES * bytes,
				 (uint64_t)ASK_MAX_BYTES);
}

bool wg_session_ask(struct wg_engine *e, struct wg_session *s, unsigned side)
{
	wg_session_fold(e, s);
	if (s->ask_bytes[side] < WG_INIT_BYTES)
		return false;
	s->ask_bytes[side] -= WG_INIT_BYTES;
	return true;
}

/* What was counted in the session goes to the link and its peers. */
void wg_session_fold(struct wg_engine *e, struct wg_session *s)
{
	struct wg_link *l = wg_link(e, s->link);

	for (unsigned i = 0; i < 2; i++) {
		struct wg_count n = s->end[i].sum;
		struct wg_peer *a = wg_peer(e, l->peer[i]);
		struct wg_peer *b = wg_peer(e, l->peer[!i]);

		s->end[i].sum = (struct wg_count){ 0 };
		allow_asking(s, i, n.bytes);
		l->sum[i].packets += n.packets;
		l->sum[i].bytes += n.bytes;
		a->rx.packets += n.packets;
		a->rx.bytes += n.bytes;
		b->tx.packets += n.packets;
		b->tx.bytes += n.bytes;
		a->seen_ms = HD_MAX(a->seen_ms, s->heard_ms[i]);
		if (wg_addr_same(&a->endpoint, &s->end[i].addr))
			a->alive_ms = HD_MAX(a->alive_ms, s->heard_ms[i]);
	}
}

/* ---- time ---- */

static const char *outlived(const struct wg_engine *e,
			    const struct wg_session *s)
{
	uint64_t age_ms = e->now_ms - s->made_ms;

	if (!s->confirmed)
		return age_ms >= ANSWERED_MS ? "no data" : NULL;
	if (age_ms >= OLDEST_MS)
		return "too old";
	return e->now_ms - s->used_ms >= WG_REJECT_AFTER_MS ? "not used" : NULL;
}

static void sweep_one(struct wg_engine *e, struct wg_session *s)
{
	const char *why;

	wg_paths_read(e, s);
	wg_session_fold(e, s);
	why = outlived(e, s);
	if (why != NULL) {
		wg_session_end(e, s, why);
		return;
	}
	wg_roam_expire(e, s);
	if ((s->confirmed && !s->stands) || s->away > 0)
		if (!wg_session_judge(e, s))
			return;
	if (s->stands)
		wg_session_learn(e, s);
}

void wg_sessions_sweep(struct wg_engine *e, uint32_t n)
{
	struct wg_session *s = NULL;

	for (; n > 0; n--) {
		s = wg_pool_next(&e->sessions, &e->swept_session);
		if (s == NULL)
			break;
		sweep_one(e, s);
	}
	if (s == NULL)
		e->swept_session = 0;
}
