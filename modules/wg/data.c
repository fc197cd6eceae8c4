/* SPDX-License-Identifier: MIT */
/* modules/wg/data.c - transport data, and how a peer may move within a session.
 *
 * The relay cannot tell data from forged or replayed data; only the other end
 * can. So a packet from a new address is forwarded, since its receiver will
 * judge it, but it proves nothing. Neither does what the other end sends
 * afterwards: it may have sent that anyway. What tells is that the old address
 * has nobody any more. A WireGuard peer that receives data says something
 * within 10 s (KEEPALIVE_TIMEOUT). So when data went to the old address, 12 s
 * passed in silence there, and the new address speaks in the same session,
 * with counters never seen before, and the other end sends, then the peer has
 * moved. A client that wants an answer is not bound to wait so long: after 15 s
 * it begins a new handshake, and that proves it at once. */
#include "modules/wg/state.h"
#include "modules/wg/wire.h"

enum {
	SILENCE_MS = 12000, /* KEEPALIVE_TIMEOUT and a generous round trip */
	ROAM_ALIVE_MS = 30000,
	ROAM_AGAIN_MS = 5000, /* after one that came to nothing */
	ROAM_PER_S = 5000, /* packets from one host that may have moved */
};

static struct wg_peer *peer_of(const struct wg_engine *e,
			       const struct wg_session *s, unsigned side)
{
	return wg_peer(e, wg_link(e, s->link)->peer[side]);
}

static bool pass(struct wg_engine *e, const struct wg_in *in,
		 struct wg_session *s, unsigned to)
{
	struct wg_end *end = &s->end[to], *from = &s->end[!to];

	if (!wg_forward(e, in, &end->addr, &end->local))
		return false;
	from->sum.packets++;
	from->sum.bytes += in->len;
	if (in->len > WG_DATA_MIN_BYTES && end->asked_ms == 0)
		end->asked_ms = e->now_ms;
	return true;
}

/* ---- moving ---- */

static void move(struct wg_engine *e, struct wg_session *s, unsigned side,
		 const struct wg_addr *local)
{
	struct wg_peer *p = peer_of(e, s, side);
	struct wg_addr old = s->end[side].addr, addr = s->roam[side].addr;

	s->end[side].next = s->roam[side].next;
	if (!wg_addr_same(&p->endpoint, &old)) {
		wg_session_move(e, s, side, &addr, local);
		return;
	}
	wg_peer_move(e, p, &addr, local);
	p->relearned++;
	e->sum.relearned++;
	hd_count(e->metrics, WG_M_RELEARNED, 1);
	wg_tell_moved(e, p, &old, "answered data");
}

static bool has_moved(const struct wg_engine *e, const struct wg_session *s,
		      unsigned side)
{
	uint64_t asked_ms = s->end[side].asked_ms;

	return s->roam[side].answered && asked_ms != 0 &&
	       e->now_ms - asked_ms >= SILENCE_MS &&
	       e->now_ms - s->roam[side].since_ms >= SILENCE_MS;
}

/* From now on all of the session must be seen here. */
static void roam_begin(struct wg_engine *e, struct wg_session *s,
		       unsigned side, const struct wg_addr *addr)
{
	wg_paths_remove(e, s);
	s->roams |= (uint8_t)(1 << side);
	s->roam[side] = (struct wg_roam){ .addr = *addr,
					  .since_ms = e->now_ms };
}

static bool may_roam(const struct wg_engine *e, const struct wg_session *s,
		     unsigned side)
{
	const struct wg_roam *roam = &s->roam[side];
	uint64_t wait_ms = s->roams & 1 << side ? ROAM_ALIVE_MS :
						  ROAM_AGAIN_MS;

	return roam->last_ms == 0 || e->now_ms - roam->last_ms >= wait_ms;
}

static void roam_note(struct wg_engine *e, struct wg_session *s, unsigned side,
		      const struct wg_in *in, uint64_t next)
{
	struct wg_roam *roam = &s->roam[side];
	bool same = (s->roams & 1 << side) &&
		    wg_addr_same(&roam->addr, &in->from);

	if (!same && !may_roam(e, s, side))
		return; /* one at a time */
	if (!same)
		roam_begin(e, s, side, &in->from);
	if (next <= roam->next)
		return;
	roam->next = next;
	roam->last_ms = e->now_ms;
	if (has_moved(e, s, side))
		move(e, s, side, &in->local);
}

static bool may_come_from(struct wg_engine *e, const struct wg_in *in)
{
	struct wg_source *src = wg_source_get(e, &in->from);

	return src != NULL && wg_bucket_take(&src->data, ROAM_PER_S, ROAM_PER_S,
					     1, e->now_ms);
}

static void from_elsewhere(struct wg_engine *e, const struct wg_in *in,
			   struct wg_session *s, unsigned to)
{
	struct wg_end *end = &s->end[!to];
	uint64_t next = wg_get64(in->data + WG_COUNTER) + 1;

	if (!s->confirmed) {
		wg_drop(e, WG_DROP_UNKNOWN_SRC, &in->from, NULL);
		return;
	}
	if (end->xdp) {
		s->read_ms = 0;
		wg_paths_read(e, s);
	}
	if (next <= end->next) {
		wg_drop(e, WG_DROP_REPLAY, &in->from, peer_of(e, s, !to));
		return;
	}
	if (!may_come_from(e, in)) {
		wg_drop(e, WG_DROP_RATE, &in->from, peer_of(e, s, !to));
		return;
	}
	if (pass(e, in, s, to))
		roam_note(e, s, !to, in, next);
}

/* ---- the good path ---- */

static void from_here(struct wg_engine *e, const struct wg_in *in,
		      struct wg_session *s, unsigned to)
{
	struct wg_end *from = &s->end[!to];
	uint64_t next = wg_get64(in->data + WG_COUNTER) + 1;

	if (next > from->next) {
		from->next = next;
		from->asked_ms = 0;
		/* it is there: who spoke from elsewhere is somebody else */
		if (s->roams & 1 << !to)
			wg_roam_end(e, s, !to);
	}
	if (s->roams & 1 << to)
		s->roam[to].answered = true;
	s->used_ms = e->now_ms;
	s->heard_ms[!to] = e->now_ms;
	pass(e, in, s, to);
}

static bool may_speak(struct wg_engine *e, struct wg_session *s, unsigned to)
{
	if (s->confirmed)
		return true;
	if (to == s->initiator)
		return false; /* a responder does not speak first */
	wg_tries_drop(e, &s->end[!to].addr, peer_of(e, s, to));
	wg_session_confirm(e, s);
	return s->confirmed;
}

/* ---- pinned endpoints ---- */

/* Two peers that the operator pinned to addresses, each the only link of the
 * other end: the addresses say it all, as they did in the predecessor. */
static const struct wg_peer *pinned_other(const struct wg_engine *e,
					  const struct wg_addr *from,
					  struct wg_peer **ret_peer)
{
	struct wg_at_cursor c = { 0 };
	struct wg_peer *p;

	while ((p = wg_at_next(e, from, &c)) != NULL) {
		const struct wg_peer *other;

		*ret_peer = p;
		if (p->n_links != 1 || !wg_addr_same(&p->pinned, from))
			continue;
		other = wg_other(e, wg_link(e, p->links[0]), p->item.id);
		if (other->pinned.set && other->endpoint.set)
			return other;
	}
	return NULL;
}

static void without_session(struct wg_engine *e, const struct wg_in *in)
{
	struct wg_peer *p = NULL;
	const struct wg_peer *other = pinned_other(e, &in->from, &p);

	if (other == NULL) {
		wg_drop(e, p != NULL && p->n_links == 0 ? WG_DROP_NO_LINK :
							  WG_DROP_UNKNOWN_SRC,
			&in->from, p);
		return;
	}
	p->seen_ms = e->now_ms;
	if (wg_forward(e, in, &other->endpoint, &other->local)) {
		p->rx.packets++;
		p->rx.bytes += in->len;
	}
}

void wg_on_data(struct wg_engine *e, const struct wg_in *in)
{
	uint32_t index = wg_get32(in->data + WG_RECEIVER_OF_DATA);
	unsigned to = 0;
	bool here = false;
	struct wg_session *s =
		wg_session_find(e, index, &in->from, &to, &here);

	if (s == NULL)
		without_session(e, in);
	else if (!here)
		from_elsewhere(e, in, s, to);
	else if (may_speak(e, s, to))
		from_here(e, in, s, to);
	else
		wg_drop(e, WG_DROP_UNKNOWN_SRC, &in->from, NULL);
}
