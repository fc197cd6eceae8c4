/* SPDX-License-Identifier: MIT */
/* modules/wg/standing.c - which sessions of a link stand, and who makes room.
 *
 * The relay can verify nothing of a handshake: who knows the public keys can
 * make one up, with himself at both ends or with forged sources. So a session
 * begins as a newcomer. It is forwarded like any other, but takes nothing from
 * those that stand. Newcomers make room for newcomers of the same kind alone:
 *
 *   between the two known addresses   only who forges both can make these;
 *                                     init.c asks for a cookie when they pile up
 *   one end at a known address        a peer that moved, or who forges one end
 *   neither                           both moved, or two strangers
 *
 * It stands when both ends have sent data. One with an end elsewhere must also
 * outlast the tunnel that is there: WireGuard's peers leave the old session a
 * round trip after the new one is confirmed. So an end that goes on in the old
 * one denies the new one, even when that stands already; and one that both ends
 * deny is ended. What stands makes room for nothing; time ends it (sessions.c).
 * There are more seats than sessions that anybody can make without showing a
 * cookie. */
#include "modules/wg/state.h"

enum {
	HOST_MAX = 4, /* newcomers of one host, elsewhere */
	CROWD = WG_NEWCOMERS_MAX / 2, /* elsewhere: more must be proven */
	CROWDED_MS = 10000,
	LEFT_MS = 2000, /* what was under way in the old session arrives */
	ALIVE_MS = 30000, /* a keepalive is due after 25 s */
	SETTLE_MS = 12000, /* who is asked says something within 10 s */
	JUDGE_MS = 1000,
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
		if (s->stands && wg_addr_same(wg_home(s, side), addr))
			return true;
	return false;
}

static bool same_host(const struct wg_addr *a, const struct wg_addr *b)
{
	struct wg_addr x = wg_addr_source(a), y = wg_addr_source(b);

	return wg_addr_same(&x, &y);
}

static bool spoke_both(const struct wg_session *s)
{
	return s->confirmed && s->heard_ms[!s->initiator] >= s->confirmed_ms;
}

static unsigned rank(const struct wg_session *s)
{
	return 3u * s->proven + s->confirmed + spoke_both(s);
}

/* Of two, who makes room: less proven, then longer unused. Either may be
 * NULL. */
static struct wg_session *lesser(struct wg_session *a, struct wg_session *b)
{
	if (a == NULL || b == NULL)
		return a != NULL ? a : b;
	if (rank(a) != rank(b))
		return rank(a) < rank(b) ? a : b;
	return a->used_ms <= b->used_ms ? a : b;
}

/* ---- room ---- */

/* An end that is elsewhere, of two ends; NULL: none. */
static const struct wg_addr *stranger(const struct wg_engine *e,
				      const struct wg_link *l,
				      const struct wg_end ends[2])
{
	for (unsigned i = 0; i < 2; i++)
		if (!is_home(e, l, i, &ends[i].addr))
			return &ends[i].addr;
	return NULL;
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
		if (s->stands || s->away != away)
			continue;
		r.n++;
		r.least = lesser(r.least, s);
		if (host == NULL || (!same_host(&s->end[0].addr, host) &&
				     !same_host(&s->end[1].addr, host)))
			continue;
		r.n_of_host++;
		r.least_of_host = lesser(r.least_of_host, s);
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
	unsigned away = !is_home(e, l, 0, &ends[0].addr) +
			!is_home(e, l, 1, &ends[1].addr);
	struct rivals r = find_rivals(e, l, away, stranger(e, l, ends));

	if (away > 0 && r.n >= CROWD)
		note_crowd(e, l);
	if (r.n_of_host >= HOST_MAX)
		wg_session_end(e, r.least_of_host, "replaced");
	else if (r.n >= WG_NEWCOMERS_MAX)
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

/* ---- what speaks against a newcomer ---- */

/* Both sent in it; or the other's data came in another session that leads to
 * the same place by the same index. */
static bool has_both(const struct wg_engine *e, const struct wg_session *s)
{
	const struct wg_end *init = &s->end[s->initiator];
	const struct wg_end *resp = &s->end[!s->initiator];
	const struct wg_session *twin;
	unsigned to;
	bool here;

	if (spoke_both(s) || !s->confirmed)
		return s->confirmed;
	twin = wg_session_find(e, init->index, &resp->addr, &to, &here);
	return twin != NULL && here && twin->link == s->link &&
	       to == s->initiator &&
	       wg_addr_same(&twin->end[to].addr, &init->addr) &&
	       twin->heard_ms[!to] >= s->confirmed_ms;
}

struct denial {
	unsigned ends; /* one bit each: went on elsewhere */
	const struct wg_session *by;
	bool old; /* there is a tunnel elsewhere that may yet do so */
};

static void denied_by(const struct wg_engine *e, const struct wg_session *s,
		      const struct wg_session *t, struct denial *ret)
{
	const struct wg_link *l = wg_link(e, s->link);
	unsigned ends = 0;

	for (unsigned i = 0; i < 2; i++) {
		const struct wg_peer *p = wg_peer(e, l->peer[i]);

		/* one that stands elsewhere itself says nothing */
		if (wg_addr_same(wg_home(t, i), wg_home(s, i)) ||
		    !wg_addr_same(wg_home(t, i), &p->endpoint))
			continue;
		if (t->heard_ms[i] > s->confirmed_ms + LEFT_MS)
			ends |= 1u << i;
		ret->old |= e->now_ms - t->heard_ms[i] < ALIVE_MS;
	}
	if (ends > ret->ends) {
		ret->ends = ends;
		ret->by = t;
	}
}

/* By older tunnels that stand. */
static struct denial find_denial(struct wg_engine *e,
				 const struct wg_session *s)
{
	struct denial d = { 0 };
	struct wg_session *t;

	wg_each_session (e, wg_link(e, s->link), t) {
		if (t == s || !t->stands || t->made_ms > s->made_ms)
			continue;
		wg_paths_read(e, t);
		denied_by(e, s, t, &d);
	}
	return d;
}

/* ---- standing ---- */

/* Who has hosts and forges one end does not fill the places of those that have
 * both ends at home. */
static bool has_seat(const struct wg_engine *e, const struct wg_link *l,
		     bool away)
{
	const struct wg_session *s;
	unsigned n = 0;

	wg_each_session (e, l, s)
		n += s->stands && (s->away > 0) == away;
	return n < (away ? WG_STANDING_AWAY_MAX : WG_STANDING_MAX);
}

/* Its two ends are known at their addresses. */
static int be_known(struct wg_engine *e, const struct wg_session *s)
{
	const struct wg_link *l = wg_link(e, s->link);
	int r = wg_at_add(e, wg_home(s, 0), l->peer[0]);

	if (r < 0)
		return r;
	r = wg_at_add(e, wg_home(s, 1), l->peer[1]);
	if (r < 0)
		wg_at_drop(e, wg_home(s, 0), l->peer[0]);
	return r;
}

static bool stand(struct wg_engine *e, struct wg_session *s)
{
	if (!has_seat(e, wg_link(e, s->link), s->away > 0) || be_known(e, s) < 0)
		return false;
	s->stands = s->fast = true;
	return true;
}

/* Nothing speaks against it. (settled) Nor will. */
static void get_on(struct wg_engine *e, struct wg_session *s, bool settled)
{
	bool was_fast = s->fast;

	s->fast = true;
	if (settled && stand(e, s)) {
		wg_session_learn(e, s);
		e->dirty_ms = e->now_ms;
	}
	if (!was_fast)
		wg_paths_put(e, s);
}

/* It takes nothing any more from those that stand. */
static void sit_down(struct wg_engine *e, struct wg_session *s,
		     const struct denial *d)
{
	const struct wg_link *l = wg_link(e, s->link);

	wg_paths_remove(e, s);
	s->fast = false;
	if (!s->stands)
		return;
	for (unsigned i = 0; i < 2; i++) {
		if (d->ends & 1u << i)
			wg_session_unlearn(e, s, i, d->by);
		wg_at_drop(e, wg_home(s, i), l->peer[i]);
	}
	s->stands = false;
}

static void end_denied(struct wg_engine *e, struct wg_session *s)
{
	for (unsigned i = 0; i < 2; i++)
		wg_suspect(e, &s->end[i].addr);
	wg_tell_denied(e, s);
	wg_session_end(e, s, "its peers are elsewhere");
}

bool wg_session_judge(struct wg_engine *e, struct wg_session *s)
{
	struct denial d;

	if (!has_both(e, s) ||
	    (s->judged_ms != 0 && e->now_ms - s->judged_ms < JUDGE_MS))
		return true;
	s->judged_ms = e->now_ms;
	d = find_denial(e, s);
	if (d.ends == 3) {
		end_denied(e, s);
		return false;
	}
	if (d.ends != 0)
		sit_down(e, s, &d);
	else if (!s->stands)
		get_on(e, s, !d.old || e->now_ms - s->confirmed_ms >= SETTLE_MS);
	return true;
}

/* ---- confirmed ---- */

void wg_session_confirm(struct wg_engine *e, struct wg_session *s)
{
	struct wg_link *l = wg_link(e, s->link);

	s->confirmed = true;
	s->confirmed_ms = e->now_ms;
	l->handshake_ms = s->made_ms;
	for (unsigned i = 0; i < 2; i++) {
		struct wg_peer *p = wg_peer(e, l->peer[i]);

		p->handshake_ms = s->made_ms;
		if (!p->endpoint.set)
			wg_session_learn_end(e, s, i);
	}
	e->sum.handshakes++;
	hd_count(e->metrics, WG_M_HANDSHAKES, 1);
	e->dirty_ms = e->now_ms;
	wg_tell_confirmed(e, s);
}

bool wg_session_known(struct wg_engine *e, struct wg_session *s, bool stood)
{
	s->confirmed = true;
	s->confirmed_ms = e->now_ms;
	if (!stood)
		return true;
	if (!stand(e, s))
		return false;
	wg_paths_put(e, s);
	return true;
}
