/* SPDX-License-Identifier: MIT */
/* modules/wg/init.c - handshake initiations.
 *
 * From a peer's known address it goes to the one it is for. From anywhere else
 * too, if that one's endpoint is known and nothing is wrong; else the address
 * must prove itself by a cookie first, and may then be one of the keys that
 * are linked with the one it asked for: a candidate. */
#include "modules/wg/state.h"
#include "modules/wg/wire.h"

enum {
	KNOWN_MS = WG_REJECT_AFTER_MS,
	TRIES_BEFORE_OTHERS = 2,
	HERE_MS = 30000, /* who was heard so long ago is where it is */
	TRIES_MAX = 4, /* of a known address in 30 s, before it must prove it */
	SESSIONS_MAX = 6, /* of a link, likewise: two or three are usual */
};

/* ---- who asks ---- */

/* Whether the address belongs to a peer that is there now. */
static struct wg_peer *present_at(const struct wg_engine *e,
				  const struct wg_addr *addr)
{
	struct wg_at_cursor c = { 0 };
	struct wg_peer *p;

	while ((p = wg_at_next(e, addr, &c)) != NULL)
		if (wg_addr_same(&p->pinned, addr) ||
		    (p->seen_ms != 0 && e->now_ms - p->seen_ms < KNOWN_MS))
			return p;
	return NULL;
}

static struct wg_link *link_from(const struct wg_engine *e,
				 const struct wg_addr *addr,
				 const struct wg_peer *to,
				 struct wg_peer **ret_peer)
{
	struct wg_at_cursor c = { 0 };
	struct wg_peer *p;

	while ((p = wg_at_next(e, addr, &c)) != NULL) {
		struct wg_link *l =
			wg_link_between(e, p->item.id, to->item.id);

		*ret_peer = p;
		if (l != NULL)
			return l;
	}
	return NULL;
}

/* ---- where to ---- */

static void add_target(struct wg_pending *p, const struct wg_addr *addr)
{
	for (unsigned i = 0; i < p->n_targets; i++)
		if (wg_addr_same(&p->target[i], addr))
			return;
	if (p->n_targets < WG_TARGETS && !wg_addr_same(addr, &p->from))
		p->target[p->n_targets++] = *addr;
}

static bool send_to(struct wg_engine *e, const struct wg_in *in,
		    struct wg_pending *p, const struct wg_addr *addr,
		    const struct wg_addr *local)
{
	add_target(p, addr);
	return wg_forward(e, in, addr, local);
}

/* Returns how many it went to. */
static unsigned to_candidates(struct wg_engine *e, const struct wg_in *in,
			      struct wg_pending *p, const struct wg_peer *to)
{
	struct wg_addr v[WG_CANDIDATES];
	unsigned n = wg_candidates(e, to, v), sent = 0;

	for (unsigned i = 0; i < n; i++) {
		struct wg_caller *c = wg_caller_find(e, &v[i]);

		if (c == NULL || wg_addr_same(&v[i], &in->from) ||
		    !wg_caller_take(e, c))
			continue;
		sent += send_to(e, in, p, &v[i], &c->local);
	}
	return sent;
}

/* Who is heard at its endpoint is there, and found no good in what went there
 * before: it is not looked for elsewhere. */
static bool is_here(const struct wg_engine *e, const struct wg_peer *p)
{
	return p->endpoint.set && p->alive_ms != 0 &&
	       e->now_ms - p->alive_ms < HERE_MS;
}

/* The other one may be elsewhere, by its data. */
static void to_roamed(struct wg_engine *e, const struct wg_in *in,
		      struct wg_pending *p, const struct wg_link *l,
		      unsigned side)
{
	struct wg_session *s;

	wg_each_session (e, l, s)
		if ((s->roams & 1 << side) &&
		    wg_addr_same(&s->end[!side].addr, &in->from) &&
		    wg_roam_copy(e, in, s, side)) {
			add_target(p, &s->roam[side].addr);
			return;
		}
}

/* The place may be made up: other than to the endpoint no more goes there than
 * three times what came from it. */
static unsigned to_end(struct wg_engine *e, const struct wg_in *in,
		       struct wg_pending *p, const struct wg_peer *to,
		       struct wg_session *s, unsigned side)
{
	const struct wg_end *end = &s->end[side];

	if (!wg_addr_same(&end->addr, &to->endpoint) &&
	    !wg_session_ask(e, s, side))
		return 0;
	return send_to(e, in, p, &end->addr, &end->local);
}

/* A tunnel between the two shows best where the other one is. Where two lead to
 * different places, or the endpoint is another one, it goes to each: how often
 * an address asked does not say which, since others may forge it. */
static unsigned by_tunnels(struct wg_engine *e, const struct wg_in *in,
			   struct wg_pending *p, const struct wg_peer *from,
			   const struct wg_link *l, const struct wg_peer *to)
{
	unsigned side = wg_side(l, to->item.id), n;
	struct wg_session *one, *two;
	const struct wg_addr *first;

	one = wg_session_place(e, l, from->item.id, &in->from, NULL);
	if (one == NULL)
		return 0;
	first = &one->end[side].addr;
	two = wg_session_place(e, l, from->item.id, &in->from, first);
	n = to_end(e, in, p, to, one, side);
	if (two != NULL)
		n += to_end(e, in, p, to, two, side);
	if (to->endpoint.set && !wg_addr_same(&to->endpoint, first) &&
	    (two == NULL ||
	     !wg_addr_same(&to->endpoint, &two->end[side].addr)))
		n += send_to(e, in, p, &to->endpoint, &to->local);
	e->sum.copied_bytes += n > 1 ? (n - 1) * in->len : 0;
	to_roamed(e, in, p, l, side);
	return n;
}

/* Only tries with as much proof count: who forges an address must not say where
 * its own messages go. */
static unsigned send_on(struct wg_engine *e, const struct wg_in *in,
			struct wg_pending *p, const struct wg_peer *from,
			const struct wg_link *l, const struct wg_peer *to)
{
	unsigned tries = wg_tries(e, &in->from, to, p->proof), n = 0;

	if (tries > TRIES_BEFORE_OTHERS && tries % 2 == 1 && !is_here(e, to) &&
	    (p->known || p->proof != WG_PROOF_NONE))
		n = to_candidates(e, in, p, to);
	if (n == 0 && l != NULL)
		n = by_tunnels(e, in, p, from, l, to);
	if (n > 0)
		return n;
	if (!to->endpoint.set)
		return to_candidates(e, in, p, to);
	p->judge = true;
	return send_to(e, in, p, &to->endpoint, &to->local);
}

static void pass_on(struct wg_engine *e, const struct wg_in *in,
		    struct wg_peer *from, const struct wg_link *l,
		    struct wg_peer *to, enum wg_proof proof)
{
	struct wg_pending *p = wg_pending_new(
		e, wg_get32(in->data + WG_SENDER), to, &in->from, l != NULL);

	if (p == NULL) {
		wg_drop(e, WG_DROP_RATE, &in->from, to);
		return;
	}
	p->local = in->local;
	p->known = l != NULL;
	p->proof = HD_MAX(p->proof, proof);
	if (send_on(e, in, p, from, l, to) == 0)
		wg_drop(e, WG_DROP_NO_ENDPOINT, &in->from, to);
}

/* ---- proof of an address ---- */

static void demand_cookie(struct wg_engine *e, const struct wg_in *in,
			  struct wg_peer *to)
{
	wg_drop(e, WG_DROP_COOKIE, &in->from, to);
	wg_cookie_demand(e, in, to, WG_INIT_MAC1);
}

/* Where something came to nothing, proof that is not in the message does not
 * count: anybody can send in the name of who proved it before. */
static bool must_prove(struct wg_engine *e, const struct wg_in *in,
		       struct wg_peer *to, enum wg_proof proof)
{
	if (proof != WG_PROOF_NONE)
		return proof == WG_PROOF_BEFORE && wg_is_suspect(e, &in->from);
	return !to->endpoint.set || wg_pressure(e) ||
	       e->now_ms < to->crowded_ms ||
	       wg_is_suspect(e, &in->from) ||
	       wg_tries(e, &in->from, to, WG_PROOF_NONE) >=
		       TRIES_BEFORE_OTHERS ||
	       !wg_dest_take(e, to);
}

/* Not asked for of a known address, unless more comes from there than its peer
 * would send: somebody may forge it. He does not see the cookie. Nor where it
 * would mean that the other end has not moved. */
static bool must_prove_known(struct wg_engine *e, const struct wg_in *in,
			     const struct wg_link *l, const struct wg_peer *to,
			     enum wg_proof proof)
{
	if (proof == WG_PROOF_NOW || !to->has_key)
		return false;
	if (wg_tries_all(e, &in->from, to) < TRIES_MAX &&
	    wg_session_count(e, l) < SESSIONS_MAX &&
	    !(wg_has_roamed(e, l, wg_side(l, to->item.id)) &&
	      wg_tries(e, &in->from, to, WG_PROOF_NONE) > 0))
		return false;
	return !wg_caller_spared(e, &in->from);
}

static void from_known(struct wg_engine *e, const struct wg_in *in,
		       struct wg_peer *from, struct wg_link *l,
		       struct wg_peer *to, enum wg_proof proof)
{
	from->seen_ms = e->now_ms;
	if (must_prove_known(e, in, l, to, proof)) {
		demand_cookie(e, in, to);
		return;
	}
	if (wg_has_roamed(e, l, wg_side(l, to->item.id)) &&
	    wg_tries(e, &in->from, to, WG_PROOF_NOW) > 0)
		wg_roam_doubt(e, l, wg_side(l, to->item.id), &in->from);
	pass_on(e, in, from, l, to, proof);
}

static void from_stranger(struct wg_engine *e, const struct wg_in *in,
			  struct wg_peer *to, enum wg_proof proof)
{
	struct wg_caller *c;

	wg_pressure_feel(e);
	if (!wg_source_take(e, &in->from)) {
		wg_drop(e, WG_DROP_RATE, &in->from, to);
		return;
	}
	if (must_prove(e, in, to, proof)) {
		demand_cookie(e, in, to);
		return;
	}
	c = proof >= WG_PROOF_BEFORE ? wg_caller_find(e, &in->from) : NULL;
	if (c != NULL) {
		c->last_peer = to->item.id;
		wg_caller_credit(c);
		wg_candidate_note(e, to, &in->from);
	}
	pass_on(e, in, NULL, NULL, to, proof);
}

/* ---- the message ---- */

static enum wg_proof prove(struct wg_engine *e, const struct wg_in *in)
{
	if (!wg_cookie_verify(e, &in->from, in->data, WG_INIT_MAC2))
		return wg_caller_proof(e, wg_caller_find(e, &in->from));
	wg_caller_prove(e, &in->from, &in->local);
	return WG_PROOF_NOW;
}

/* A known peer without a key at the other end: there is no mac1 to check, so
 * the link must be the only one. */
static struct wg_peer *only_keyless(const struct wg_engine *e,
				    const struct wg_peer *p)
{
	struct wg_peer *only = NULL;

	for (uint32_t i = 0; i < p->n_links; i++) {
		struct wg_peer *other =
			wg_other(e, wg_link(e, p->links[i]), p->item.id);

		if (other->has_key)
			continue;
		if (only != NULL)
			return NULL;
		only = other;
	}
	return only;
}

void wg_init_found(struct wg_engine *e, const struct wg_in *in,
		   struct wg_peer *to, enum wg_proof proof)
{
	struct wg_peer *from = NULL;
	struct wg_link *l = link_from(e, &in->from, to, &from);

	if (l != NULL) {
		from_known(e, in, from, l, to, proof);
	} else if (present_at(e, &in->from) != NULL) {
		wg_drop(e, WG_DROP_NO_LINK, &in->from, from);
	} else if (to->n_links == 0) {
		wg_drop(e, WG_DROP_NO_LINK, &in->from, to);
	} else {
		from_stranger(e, in, to, proof);
	}
}

static void for_nobody(struct wg_engine *e, const struct wg_in *in,
		       enum wg_proof proof)
{
	struct wg_peer *p = present_at(e, &in->from);
	struct wg_peer *to = p != NULL ? only_keyless(e, p) : NULL;

	if (to != NULL)
		wg_init_found(e, in, to, proof);
	else if (p != NULL)
		wg_drop(e, WG_DROP_PUBKEY_MISMATCH, &in->from, p);
	else
		wg_drop(e, WG_DROP_NO_PUBKEY_MATCH, &in->from, NULL);
}

void wg_on_init(struct wg_engine *e, const struct wg_in *in)
{
	bool known = wg_is_known(e, &in->from);
	enum wg_proof proof;
	struct wg_peer *to;

	if (!known && wg_is_blocked(e, &in->from)) {
		wg_drop(e, WG_DROP_BLOCKED, &in->from, NULL);
		return;
	}
	proof = prove(e, in);
	switch (wg_find_receiver(e, in, proof, &to)) {
	case WG_FOUND:
		wg_init_found(e, in, to, proof);
		break;
	case WG_NOBODY:
		for_nobody(e, in, proof);
		break;
	case WG_BUSY:
		wg_drop(e, WG_DROP_SEARCH, &in->from, NULL);
		break;
	case WG_LATER:
		break;
	}
}
