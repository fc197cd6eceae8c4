/* SPDX-License-Identifier: MIT */
/* modules/wg/sessions.c - tunnels: which index leads where.
 *
 *   response forwarded         first data of the initiator
 *   ------------------> ANSWERED --------------------------> CONFIRMED
 *                          |                                     |
 *                          `---- pushed out, 180 s without use --'
 *
 * Each session knows its own two addresses: whatever else is believed about a
 * peer's endpoint, a tunnel that works goes on working. */
#include "modules/wg/state.h"

/* As many answers as there may be candidates: one does not push out another. */
enum { CONFIRMED_MAX = 3, ANSWERED_MAX = WG_CANDIDATES };
_Static_assert(CONFIRMED_MAX + ANSWERED_MAX == WG_LINK_SESSIONS, "room");

struct wg_session *wg_session(const struct wg_engine *e, uint32_t id)
{
	return wg_pool_at(&e->sessions, id);
}

static uint32_t hash_index(const struct wg_engine *e, uint32_t index)
{
	return wg_hash_u64(&e->hash, (uint64_t)index << 1 | 1);
}

static void links_remove(struct wg_link *l, uint32_t id)
{
	unsigned n = 0;

	for (unsigned i = 0; i < WG_LINK_SESSIONS; i++)
		if (l->session[i] != id)
			l->session[n++] = l->session[i];
	while (n < WG_LINK_SESSIONS)
		l->session[n++] = WG_NONE;
}

static void remove_session(struct wg_engine *e, struct wg_session *s)
{
	struct wg_link *l = wg_link(e, s->link);

	wg_paths_remove(e, s);
	wg_session_fold(e, s);
	for (unsigned i = 0; i < 2; i++) {
		wg_index_remove(&e->by_index, hash_index(e, s->end[i].index),
				s->item.id * 2 + i);
		if (s->confirmed)
			wg_at_drop(e, &s->end[i].addr, l->peer[i]);
	}
	links_remove(l, s->item.id);
	wg_pool_remove(&e->sessions, s);
}

void wg_session_end(struct wg_engine *e, struct wg_session *s, const char *why)
{
	if (s->confirmed)
		wg_tell_ended(e, s, why);
	e->dirty_ms = e->now_ms;
	remove_session(e, s);
}

/* The oldest of a link in this state makes room when there are `max`. */
static void push_out(struct wg_engine *e, struct wg_link *l, bool confirmed,
		     unsigned max)
{
	struct wg_session *oldest = NULL;
	unsigned n = 0;

	for (unsigned i = 0; i < WG_LINK_SESSIONS; i++) {
		struct wg_session *s;

		if (l->session[i] == WG_NONE)
			break;
		s = wg_session(e, l->session[i]);
		if (s->confirmed != confirmed)
			continue;
		n++;
		oldest = s; /* newest first */
	}
	if (n >= max)
		wg_session_end(e, oldest, "replaced");
}

struct wg_session *wg_session_new(struct wg_engine *e, struct wg_link *l,
				  unsigned initiator,
				  const struct wg_end ends[2])
{
	struct wg_session *s;
	int r = 0;

	push_out(e, l, false, ANSWERED_MAX);
	s = wg_pool_add(&e->sessions);
	if (s == NULL)
		return NULL;
	s->link = l->item.id;
	s->initiator = (uint8_t)initiator;
	s->made_ms = s->used_ms = s->read_ms = e->now_ms;
	for (unsigned i = 0; i < 2 && r == 0; i++) {
		s->end[i] = ends[i];
		r = wg_index_add(&e->by_index, hash_index(e, ends[i].index),
				 s->item.id * 2 + i);
	}
	if (r < 0) {
		remove_session(e, s);
		return NULL;
	}
	memmove(l->session + 1, l->session,
		sizeof(l->session) - sizeof(l->session[0]));
	l->session[0] = s->item.id;
	return s;
}

struct wg_session *wg_session_find(const struct wg_engine *e, uint32_t index,
				   const struct wg_addr *from,
				   unsigned *ret_to, bool *ret_here)
{
	uint32_t hash = hash_index(e, index), at = hash, id;
	struct wg_session *other = NULL;

	while (wg_index_next(&e->by_index, hash, &at, &id)) {
		struct wg_session *s = wg_session(e, id / 2);
		unsigned to = id % 2;

		if (s->end[to].index != index)
			continue;
		*ret_here = wg_addr_same(&s->end[!to].addr, from);
		if (*ret_here || other == NULL) {
			*ret_to = to;
			other = s;
		}
		if (*ret_here)
			return s;
	}
	return other;
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
	for (size_t i = 0; i < offsetof(struct wg_session, roam); i += 64)
		__builtin_prefetch(s + i, 1);
}

struct wg_session *wg_session_between(const struct wg_engine *e,
				      const struct wg_link *l, uint32_t peer,
				      const struct wg_addr *addr, bool oldest)
{
	unsigned side = wg_side(l, peer);
	struct wg_session *found = NULL;

	for (unsigned i = 0; i < WG_LINK_SESSIONS; i++) {
		struct wg_session *s;

		if (l->session[i] == WG_NONE)
			break;
		s = wg_session(e, l->session[i]);
		if (!s->confirmed || !wg_addr_same(&s->end[side].addr, addr))
			continue;
		found = s;
		if (!oldest)
			break;
	}
	return found;
}

void wg_session_move(struct wg_engine *e, struct wg_session *s, unsigned side,
		     const struct wg_addr *addr, const struct wg_addr *local)
{
	struct wg_end *end = &s->end[side];
	uint32_t peer = wg_link(e, s->link)->peer[side];
	struct wg_addr old = end->addr;

	if (s->confirmed && wg_at_add(e, addr, peer) < 0)
		return;
	wg_paths_remove(e, s);
	end->addr = *addr;
	if (local->set)
		end->local = *local;
	end->asked_ms = 0;
	s->roams &= (uint8_t)~(1 << side);
	if (s->confirmed)
		wg_at_drop(e, &old, peer);
	wg_paths_put(e, s);
}

/* ---- confirmed ---- */

/* May what this session showed move the endpoint of one end? A first one is
 * learned. One that is known is moved only by a peer with which it has proven
 * itself before (or that the operator has pinned), and that stands where it is
 * known to be: else two strangers who know the public keys could answer each
 * other and so move a third. */
static bool may_move(const struct wg_engine *e, const struct wg_session *s,
		     unsigned side)
{
	const struct wg_link *l = wg_link(e, s->link);
	const struct wg_peer *p = wg_peer(e, l->peer[side]);
	const struct wg_peer *other = wg_peer(e, l->peer[!side]);
	const struct wg_addr *there = &s->end[!side].addr;

	if (!p->endpoint.set)
		return true;
	return wg_addr_same(&other->endpoint, there) &&
	       (l->trusted || wg_addr_same(&other->pinned, there));
}

/* Other tunnels stay where they are: a handshake shows where this one is, and
 * who can forge the other end's address could make it. A peer that really went
 * elsewhere says so in each of them. */
static void learn(struct wg_engine *e, struct wg_session *s, unsigned side)
{
	struct wg_peer *p = wg_peer(e, wg_link(e, s->link)->peer[side]);
	const struct wg_end *end = &s->end[side];
	struct wg_addr old = p->endpoint, addr = end->addr, local = end->local;

	if (wg_addr_same(&old, &addr)) {
		p->local = local;
		return;
	}
	if (!may_move(e, s, side))
		return;
	wg_peer_learn(e, p, &addr, &local);
	if (!old.set)
		return;
	p->relearned++;
	e->sum.relearned++;
	hd_count(e->metrics, WG_M_RELEARNED, 1);
	wg_tell_moved(e, p, &old, "handshake");
}

static bool at_home(const struct wg_engine *e, const struct wg_session *s,
		    unsigned side)
{
	const struct wg_peer *p =
		wg_peer(e, wg_link(e, s->link)->peer[side]);

	return wg_addr_same(&p->endpoint, &s->end[side].addr);
}

/* Its two ends are known at their addresses. */
static int be_known(struct wg_engine *e, const struct wg_session *s)
{
	const struct wg_link *l = wg_link(e, s->link);
	int r = wg_at_add(e, &s->end[0].addr, l->peer[0]);

	if (r < 0)
		return r;
	r = wg_at_add(e, &s->end[1].addr, l->peer[1]);
	if (r < 0)
		wg_at_drop(e, &s->end[0].addr, l->peer[0]);
	return r;
}

void wg_session_confirm(struct wg_engine *e, struct wg_session *s)
{
	struct wg_link *l = wg_link(e, s->link);
	unsigned first = !s->initiator; /* the responder proved nothing yet */

	push_out(e, l, true, CONFIRMED_MAX);
	if (be_known(e, s) < 0)
		return;
	s->confirmed = true;
	learn(e, s, first);
	learn(e, s, !first);
	l->trusted |= at_home(e, s, 0) && at_home(e, s, 1);
	l->handshake_ms = s->made_ms;
	for (unsigned i = 0; i < 2; i++)
		wg_peer(e, l->peer[i])->handshake_ms = s->made_ms;
	e->sum.handshakes++;
	hd_count(e->metrics, WG_M_HANDSHAKES, 1);
	e->dirty_ms = e->now_ms;
	wg_paths_put(e, s);
	wg_tell_confirmed(e, s);
}

bool wg_session_known(struct wg_engine *e, struct wg_session *s)
{
	push_out(e, wg_link(e, s->link), true, CONFIRMED_MAX);
	if (be_known(e, s) < 0)
		return false;
	s->confirmed = true;
	wg_paths_put(e, s);
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
		l->sum[i].packets += n.packets;
		l->sum[i].bytes += n.bytes;
		a->rx.packets += n.packets;
		a->rx.bytes += n.bytes;
		b->tx.packets += n.packets;
		b->tx.bytes += n.bytes;
		a->seen_ms = HD_MAX(a->seen_ms, s->heard_ms[i]);
		a->alive_ms = HD_MAX(a->alive_ms, s->heard_ms[i]);
	}
}

void wg_roam_end(struct wg_engine *e, struct wg_session *s, unsigned side)
{
	s->roams &= (uint8_t)~(1 << side);
	s->roam[side].last_ms = e->now_ms;
	wg_paths_put(e, s);
}

/* ---- time ---- */

/* What may have moved and then fell silent has not. */
static void roam_expire(struct wg_engine *e, struct wg_session *s)
{
	for (unsigned i = 0; i < 2; i++)
		if ((s->roams & 1 << i) &&
		    e->now_ms - s->roam[i].last_ms >= 30000)
			wg_roam_end(e, s, i);
}

void wg_sessions_sweep(struct wg_engine *e, uint32_t n)
{
	struct wg_session *s = NULL;

	for (; n > 0; n--) {
		s = wg_pool_next(&e->sessions, &e->swept_session);
		if (s == NULL)
			break;
		wg_paths_read(e, s);
		wg_session_fold(e, s);
		if (e->now_ms - s->used_ms >= WG_REJECT_AFTER_MS)
			wg_session_end(e, s, "not used");
		else
			roam_expire(e, s);
	}
	if (s == NULL)
		e->swept_session = 0;
}
