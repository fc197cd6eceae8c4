/* SPDX-License-Identifier: MIT */
/* modules/wg/response.c - handshake responses.
 *
 * A responder has authenticated the initiator before it answers, and mac1 is
 * made with the initiator's public key: so a response says who sits where the
 * initiation came from. It counts only from where that initiation was sent. */
#include "modules/wg/state.h"
#include "modules/wg/wire.h"

static bool was_sent_to(const struct wg_pending *p, const struct wg_addr *addr)
{
	for (unsigned i = 0; i < p->n_targets; i++)
		if (wg_addr_same(&p->target[i], addr))
			return true;
	return false;
}

struct wg_pending *wg_pending_answered(const struct wg_engine *e,
				       uint32_t index,
				       const struct wg_addr *from)
{
	struct wg_at_cursor c = { 0 };
	struct wg_pending *p;

	while ((p = wg_pending_next(e, index, &c)) != NULL)
		if (was_sent_to(p, from) &&
		    wg_peer(e, p->to)->serial == p->to_serial)
			return p;
	return NULL;
}

static bool is_session(const struct wg_session *s, const struct wg_end ends[2])
{
	for (unsigned i = 0; i < 2; i++)
		if (s->end[i].index != ends[i].index ||
		    !wg_addr_same(&s->end[i].addr, &ends[i].addr))
			return false;
	return true;
}

static bool is_new(const struct wg_engine *e, const struct wg_link *l,
		   const struct wg_end ends[2])
{
	const struct wg_session *s;

	wg_each_session (e, l, s)
		if (is_session(s, ends))
			return false;
	return true;
}

enum {
	SAME_INDEX_MAX = 16, /* of other links: honest ones are random */
	ASK_AGAIN_MS = 1000, /* a responder for its cookie */
};

/* A host's data with this index goes elsewhere already. Honest indexes are
 * random; a peer that chose another one's would get the packets for that one.
 * To the same place is no harm: somebody answered one initiation twice, perhaps
 * in another one's name, and who was first may have made it up. Nor may one
 * index be that of many: each packet with it would look at all of them. */
static bool is_taken(const struct wg_engine *e, const struct wg_link *l,
		     const struct wg_end ends[2])
{
	for (unsigned i = 0; i < 2; i++) {
		unsigned to;
		bool here;
		const struct wg_session *s =
			wg_session_find(e, ends[i].index, &ends[!i].addr, &to,
					&here);

		if (s != NULL && here &&
		    !wg_addr_same(&s->end[to].addr, &ends[i].addr))
			return true;
		if (wg_session_others(e, ends[i].index, l) >= SAME_INDEX_MAX)
			return true;
	}
	return false;
}

/* Who forges the responder's address sees nothing that is sent there. Where
 * many sessions are made up, a responder is asked for a cookie, too: its next
 * response shows it, and then that session goes before all others. */
static void ask_responder(struct wg_engine *e, const struct wg_in *in,
			  const struct wg_session *s,
			  const struct wg_peer *initiator, struct wg_peer *to)
{
	if (s->away == 0 || !initiator->has_key ||
	    e->now_ms >= HD_MAX(initiator->crowded_ms, to->crowded_ms) ||
	    (to->asked_ms != 0 && e->now_ms - to->asked_ms < ASK_AGAIN_MS))
		return;
	to->asked_ms = e->now_ms;
	wg_cookie_demand(e, in, initiator, WG_RESPONSE_MAC1);
	e->sum.copied_bytes += WG_COOKIE_BYTES;
}

static bool make_session(struct wg_engine *e, const struct wg_in *in,
			 const struct wg_pending *p, struct wg_link *l,
			 const struct wg_peer *initiator,
			 const struct wg_end ends[2])
{
	bool shown = wg_cookie_verify(e, &in->from, in->data, WG_RESPONSE_MAC2);
	unsigned proofs = (p->proof == WG_PROOF_NOW) + shown;
	struct wg_session *s = wg_session_new(
		e, l, wg_side(l, initiator->item.id), ends, proofs);

	if (s == NULL)
		return false;
	if (!shown)
		ask_responder(e, in, s, initiator, wg_peer(e, p->to));
	return true;
}

void wg_response_found(struct wg_engine *e, const struct wg_in *in,
		       struct wg_pending *p, struct wg_peer *initiator)
{
	struct wg_peer *to = wg_peer(e, p->to);
	struct wg_link *l = wg_link_between(e, initiator->item.id, p->to);
	struct wg_end ends[2] = { 0 };
	unsigned side;
	bool new;

	if (l == NULL) {
		wg_drop(e, WG_DROP_NO_LINK, &in->from, to);
		return;
	}
	side = wg_side(l, initiator->item.id);
	ends[side] = (struct wg_end){ .addr = p->from,
				      .local = p->local,
				      .index = p->index };
	ends[!side] =
		(struct wg_end){ .addr = in->from,
				 .local = in->local,
				 .index = wg_get32(in->data + WG_SENDER) };
	new = is_new(e, l, ends);
	if (new && is_taken(e, l, ends)) {
		wg_drop(e, WG_DROP_REPLAY, &in->from, to);
		return;
	}
	p->answered = true;
	if (wg_addr_same(&to->endpoint, &in->from))
		to->seen_ms = to->alive_ms = e->now_ms;
	if (new && !make_session(e, in, p, l, initiator, ends))
		return;
	wg_forward(e, in, &p->from, &p->local);
}

/* Where mac1 tells nothing: a peer without a key that stands there. */
static struct wg_peer *keyless_at(const struct wg_engine *e,
				  const struct wg_pending *p)
{
	struct wg_at_cursor c = { 0 };
	struct wg_peer *a;

	while ((a = wg_at_next(e, &p->from, &c)) != NULL)
		if (!a->has_key &&
		    wg_link_between(e, a->item.id, p->to) != NULL)
			return a;
	return NULL;
}

static void for_nobody(struct wg_engine *e, const struct wg_in *in,
		       struct wg_pending *p)
{
	struct wg_peer *a = keyless_at(e, p);

	if (a != NULL)
		wg_response_found(e, in, p, a);
	else
		wg_drop(e, WG_DROP_PUBKEY_MISMATCH, &in->from,
			wg_peer(e, p->to));
}

void wg_on_response(struct wg_engine *e, const struct wg_in *in)
{
	struct wg_pending *p = wg_pending_answered(
		e, wg_get32(in->data + WG_RECEIVER_OF_RESPONSE), &in->from);
	struct wg_peer *initiator;

	if (p == NULL) {
		wg_drop(e, WG_DROP_UNKNOWN_SRC, &in->from, NULL);
		return;
	}
	switch (wg_find_initiator(e, in, p, &initiator)) {
	case WG_FOUND:
		wg_response_found(e, in, p, initiator);
		break;
	case WG_NOBODY:
		for_nobody(e, in, p);
		break;
	case WG_BUSY:
		wg_drop(e, WG_DROP_SEARCH, &in->from, wg_peer(e, p->to));
		break;
	case WG_LATER:
		break;
	}
}
