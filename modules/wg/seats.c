/* SPDX-License-Identifier: MIT */
/* modules/wg/seats.c - how many sessions a link has, and who makes room.
 *
 * Newcomers (standing.c) make room for newcomers of the same kind alone:
 *
 *   between the two known addresses   only who forges both can make these;
 *                                     init.c asks for a cookie if they pile up
 *   one end at a known address        a peer that moved, or who forges one end
 *   neither                           both moved, or two strangers
 *
 * What stands and is in use leaves its place only to what has proven more. */
#include "modules/wg/state.h"

enum {
	HOST_MAX = 4, /* newcomers of one host, elsewhere */
	CROWD = WG_NEWCOMERS_MAX / 2, /* elsewhere: more must be proven */
	CROWDED_MS = 10000,
	FRESH_MS = 5000, /* data follows a response at once */
};

/* ---- kinds ---- */

/* The peer's endpoint, or where it is in a session that stands. */
static bool is_home(const struct wg_engine *e, const struct wg_link *l,
		    unsigned side, const struct wg_addr *addr)
{
	const struct wg_session *s;

	if (wg_addr_same(&wg_peer(e, l->peer[side])->endpoint, addr))
		return true;
	wg_each_session (e, l, s)
		if (s->stands && wg_addr_same(&s->end[side].addr, addr))
			return true;
	return false;
}

static bool same_host(const struct wg_addr *a, const struct wg_addr *b)
{
	struct wg_addr x = wg_addr_source(a), y = wg_addr_source(b);

	return wg_addr_same(&x, &y);
}

/* Its data did not come, or not from both, or its peers are elsewhere. */
static bool is_stale(const struct wg_engine *e, const struct wg_session *s)
{
	if (!s->confirmed)
		return e->now_ms - s->made_ms >= FRESH_MS;
	return (s->judged_ms != 0 && !s->fast) ||
	       e->now_ms - HD_MAX(wg_both_heard_ms(s), s->confirmed_ms) >=
		       WG_ALIVE_MS;
}

/* An answer costs him nothing who has seen the question: with data is more. */
static unsigned rank(const struct wg_engine *e, const struct wg_session *s)
{
	if (is_stale(e, s))
		return 0;
	return 1 + s->confirmed + wg_spoke_both(s) + 4u * s->proofs;
}

/* Of two, who makes room: less proven, then longer unused. Either may be
 * NULL. */
static struct wg_session *lesser(const struct wg_engine *e,
				 struct wg_session *a, struct wg_session *b)
{
	if (a == NULL || b == NULL)
		return a != NULL ? a : b;
	if (rank(e, a) != rank(e, b))
		return rank(e, a) < rank(e, b) ? a : b;
	return a->used_ms <= b->used_ms ? a : b;
}

/* ---- room ---- */

/* Ends that are elsewhere, one bit each. */
static unsigned find_away(const struct wg_engine *e, const struct wg_link *l,
			  const struct wg_end ends[2])
{
	unsigned away = 0;

	for (unsigned i = 0; i < 2; i++)
		away |= (unsigned)!is_home(e, l, i, &ends[i].addr) << i;
	return away;
}

static bool is_of_host(const struct wg_session *s, const struct wg_addr *host)
{
	for (unsigned i = 0; i < 2; i++)
		if ((s->away & 1u << i) && same_host(&s->end[i].addr, host))
			return true;
	return false;
}

struct rivals { /* of one kind */
	struct wg_session *least, *least_of_host;
	unsigned n, n_of_host;
};

static struct rivals find_rivals(const struct wg_engine *e,
				 const struct wg_link *l, unsigned away,
				 const struct wg_addr *host)
{
	struct rivals r = { 0 };
	struct wg_session *s;

	wg_each_session (e, l, s) {
		if (s->stands || __builtin_popcount(s->away) !=
					 __builtin_popcount(away))
			continue;
		r.n++;
		r.least = lesser(e, r.least, s);
		if (!is_of_host(s, host))
			continue;
		r.n_of_host++;
		r.least_of_host = lesser(e, r.least_of_host, s);
	}
	return r;
}

/* Who forges any address could be elsewhere as often as he likes: from now on
 * strangers show a cookie. So half of the places are left for who has one. */
static void note_crowd(struct wg_engine *e, const struct wg_link *l)
{
	for (unsigned i = 0; i < 2; i++)
		wg_peer(e, l->peer[i])->crowded_ms = e->now_ms + CROWDED_MS;
}

unsigned wg_room(struct wg_engine *e, struct wg_link *l,
		 const struct wg_end ends[2])
{
	unsigned away = find_away(e, l, ends);
	const struct wg_addr *host = &ends[(away & 1) == 0].addr;
	struct rivals r = find_rivals(e, l, away, host);

	if (away > 0 && r.n >= CROWD)
		note_crowd(e, l);
	if (r.n_of_host >= HOST_MAX)
		wg_session_end(e, r.least_of_host, "replaced");
	/* more than one where a session has stood up into another kind */
	for (r = find_rivals(e, l, away, host); r.n >= WG_NEWCOMERS_MAX;
	     r = find_rivals(e, l, away, host))
		wg_session_end(e, r.least, "replaced");
	return away;
}

unsigned wg_session_count(const struct wg_engine *e, const struct wg_link *l)
{
	const struct wg_session *s;
	unsigned n = 0;

	wg_each_session (e, l, s)
		n += s->away == 0;
	return n;
}

/* ---- places to stand ---- */

/* How many of its ends are not where their peers are known to be, now. */
static unsigned n_elsewhere(const struct wg_engine *e,
			    const struct wg_session *s)
{
	const struct wg_link *l = wg_link(e, s->link);
	unsigned n = 0;

	for (unsigned i = 0; i < 2; i++)
		n += !wg_addr_same(&wg_peer(e, l->peer[i])->endpoint,
				   &s->end[i].addr);
	return n;
}

static bool in_use(const struct wg_engine *e, const struct wg_session *s)
{
	return e->now_ms - wg_both_heard_ms(s) < WG_ALIVE_MS;
}

/* Of two that stand, who leaves its place: unused, then less proven. */
static struct wg_session *first_up(const struct wg_engine *e,
				   struct wg_session *a, struct wg_session *b)
{
	if (a == NULL || in_use(e, a) != in_use(e, b))
		return a != NULL && !in_use(e, a) ? a : b;
	if (a->proofs != b->proofs)
		return a->proofs < b->proofs ? a : b;
	return wg_both_heard_ms(a) <= wg_both_heard_ms(b) ? a : b;
}

/* Each kind has its own places: who has hosts and forges one end does not fill
 * those of sessions that have both ends at home. What is in use gives its place
 * only to what has proven more. */
bool wg_seat(struct wg_engine *e, const struct wg_session *s)
{
	const unsigned max[] = { WG_STANDING_MAX, WG_STANDING_AWAY_MAX,
				 WG_STANDING_AWAY_MAX };
	unsigned kind = n_elsewhere(e, s), n = 0;
	struct wg_session *t, *out = NULL;

	wg_each_session (e, wg_link(e, s->link), t) {
		if (!t->stands || n_elsewhere(e, t) != kind)
			continue;
		out = first_up(e, out, t);
		n++;
	}
	if (n < max[kind])
		return true;
	if (!in_use(e, s) || (in_use(e, out) && !wg_outproves(s, out))) {
		note_crowd(e, wg_link(e, s->link));
		return false;
	}
	wg_session_sit(e, out);
	return true;
}
