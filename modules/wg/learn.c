/* SPDX-License-Identifier: MIT */
/* modules/wg/learn.c - what sessions show of where peers are: their endpoints,
 * and where to look for one that is asked for. */
#include "modules/wg/state.h"

/* ---- where its peers are ---- */

/* Another session of the link is in use, has proven as much and says that the
 * peer is at a third place: then neither is believed. */
static bool is_contested(const struct wg_engine *e, const struct wg_session *s,
			 unsigned side)
{
	const struct wg_link *l = wg_link(e, s->link);
	const struct wg_addr *known = &wg_peer(e, l->peer[side])->endpoint;
	const struct wg_session *t;

	wg_each_session(
		e, l,
		t) if (t->fast && !wg_outproves(s, t) &&
		       e->now_ms - wg_both_heard_ms(t) < WG_SETTLE_MS &&
		       !wg_addr_same(&t->end[side].addr, &s->end[side].addr) &&
		       !wg_addr_same(&t->end[side].addr, known)) return true;
	return false;
}

/* May what this session showed move the endpoint of one end? Not while the
 * peer is heard where it is known to be, nor by an older session than showed
 * that. And only a peer moves it with which it has proven itself before (or
 * that the operator has pinned), and that stands where it is known to be: else
 * two strangers who know the public keys could answer each other and so move a
 * third. */
static bool may_move(const struct wg_engine *e, const struct wg_session *s,
		     unsigned side)
{
	const struct wg_link *l = wg_link(e, s->link);
	const struct wg_peer *p = wg_peer(e, l->peer[side]);
	const struct wg_peer *other = wg_peer(e, l->peer[!side]);
	const struct wg_addr *there = &s->end[!side].addr;

	if (!p->endpoint.set)
		return true;
	if (s->made_ms <= p->placed_ms ||
	    (p->alive_ms != 0 && e->now_ms - p->alive_ms < WG_SETTLE_MS))
		return false;
	if (e->now_ms - wg_both_heard_ms(s) >= WG_ALIVE_MS ||
	    is_contested(e, s, side))
		return false;
	return wg_addr_same(&other->endpoint, there) &&
	       (l->trusted || wg_addr_same(&other->pinned, there));
}

/* Other tunnels stay where they are: a handshake shows where this one is, and
 * who can forge the other end's address could make it. A peer that really went
 * elsewhere says so in each of them. */
void wg_session_learn_end(struct wg_engine *e, const struct wg_session *s,
			  unsigned side)
{
	struct wg_peer *p = wg_peer(e, wg_link(e, s->link)->peer[side]);
	struct wg_addr old = p->endpoint, addr = s->end[side].addr;

	if (wg_addr_same(&old, &addr))
		p->local = s->end[side].local;
	if (wg_addr_same(&old, &addr) || !may_move(e, s, side))
		return;
	wg_peer_learn(e, p, &addr, &s->end[side].local);
	p->placed_ms = s->made_ms;
	if (!old.set)
		return;
	p->relearned++;
	e->sum.relearned++;
	hd_count(&e->metrics->relearned, 1);
	wg_tell_moved(e, p, &old, "handshake");
}

static bool at_endpoint(const struct wg_engine *e, const struct wg_session *s,
			unsigned side)
{
	const struct wg_peer *p = wg_peer(e, wg_link(e, s->link)->peer[side]);

	return wg_addr_same(&p->endpoint, &s->end[side].addr);
}

void wg_session_learn(struct wg_engine *e, struct wg_session *s)
{
	/* first the responder, who proved nothing yet */
	wg_session_learn_end(e, s, !s->initiator);
	wg_session_learn_end(e, s, s->initiator);
	if (at_endpoint(e, s, 0) && at_endpoint(e, s, 1))
		wg_link(e, s->link)->trusted = true;
}

/* Its endpoint is where it was before this session. */
void wg_session_unlearn(struct wg_engine *e, const struct wg_session *s,
			unsigned side, const struct wg_session *by)
{
	struct wg_peer *p = wg_peer(e, wg_link(e, s->link)->peer[side]);
	struct wg_addr old = p->endpoint;

	if (!wg_addr_same(&old, &s->end[side].addr) ||
	    p->placed_ms != s->made_ms)
		return;
	wg_peer_learn(e, p, &by->end[side].addr, &by->end[side].local);
	p->placed_ms = by->made_ms;
	wg_tell_moved(e, p, &old, "it speaks there");
}

/* ---- where to look for a peer ---- */

/* Of two, who shows better where a peer is: it stands; both ends have proven
 * themselves; heard last. */
static struct wg_session *better(struct wg_session *a, struct wg_session *b,
				 unsigned side)
{
	if (a == NULL || a->stands != b->stands)
		return a != NULL && a->stands ? a : b;
	if (wg_outproves(a, b) || wg_outproves(b, a))
		return wg_outproves(a, b) ? a : b;
	return a->heard_ms[side] >= b->heard_ms[side] ? a : b;
}

struct wg_session *wg_session_place(const struct wg_engine *e,
				    const struct wg_link *l, uint32_t from,
				    const struct wg_addr *from_addr,
				    const struct wg_addr *not)
{
	unsigned side = wg_side(l, from);
	struct wg_session *s, *best = NULL;

	wg_each_session (e, l, s)
		if (s->confirmed &&
		    wg_addr_same(&s->end[side].addr, from_addr) &&
		    (not == NULL || !wg_addr_same(&s->end[!side].addr, not)))
			best = better(best, s, !side);
	return best;
}
