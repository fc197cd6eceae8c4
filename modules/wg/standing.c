/* SPDX-License-Identifier: MIT */
/* modules/wg/standing.c - which sessions of a link stand.
 *
 * The relay can verify nothing of a handshake: who knows the public keys can
 * make one up, with himself at both ends or with forged sources. So a session
 * begins as a newcomer. It is forwarded like any other, but takes nothing from
 * those that stand (seats.c).
 *
 * It stands when both ends have sent data. One with an end elsewhere must also
 * outlast the tunnel that is there: WireGuard's peers leave the old session a
 * round trip after the new one is confirmed. So an end that goes on in the old
 * one denies the new one, even when that stands already; and one that both ends
 * deny is ended. */
#include "modules/wg/state.h"

enum {
	LEFT_MS = 2000, /* what was under way in the old session arrives */
	JUDGE_MS = 1000,
};

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

	if (wg_spoke_both(s) || !s->confirmed)
		return s->confirmed;
	twin = wg_session_find(e, init->index, &resp->addr, &to, &here);
	return twin != NULL && here &&
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
		if (wg_addr_same(&t->end[i].addr, &s->end[i].addr) ||
		    !wg_addr_same(&t->end[i].addr, &p->endpoint))
			continue;
		if (t->heard_ms[i] > s->confirmed_ms + LEFT_MS)
			ends |= 1u << i;
		ret->old |= e->now_ms - t->heard_ms[i] < WG_ALIVE_MS;
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

	wg_each_session(e, wg_link(e, s->link), t)
	{
		if (t == s || !t->stands || t->made_ms > s->made_ms)
			continue;
		wg_paths_read(e, t);
		denied_by(e, s, t, &d);
	}
	return d;
}

/* ---- standing ---- */

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

static bool stand(struct wg_engine *e, struct wg_session *s)
{
	if (!wg_seat(e, s) || be_known(e, s) < 0)
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
void wg_session_sit(struct wg_engine *e, struct wg_session *s)
{
	const struct wg_link *l = wg_link(e, s->link);

	wg_paths_remove(e, s);
	s->fast = false;
	for (unsigned i = 0; s->stands && i < 2; i++)
		wg_at_drop(e, &s->end[i].addr, l->peer[i]);
	s->stands = false;
}

static void give_way(struct wg_engine *e, struct wg_session *s,
		     const struct denial *d)
{
	for (unsigned i = 0; s->stands && i < 2; i++)
		if (d->ends & 1u << i)
			wg_session_unlearn(e, s, i, d->by);
	wg_session_sit(e, s);
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
		give_way(e, s, &d);
	else if (!s->stands)
		get_on(e, s,
		       !d.old || e->now_ms - s->confirmed_ms >= WG_SETTLE_MS);
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
	hd_count(&e->metrics->handshakes, 1);
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
