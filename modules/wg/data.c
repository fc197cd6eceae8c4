/* SPDX-License-Identifier: MIT */
/* modules/wg/data.c - transport data: of a session, and between peers that the
 * operator has pinned. From an address that is not the end's: roam.c. */
#include "modules/wg/state.h"
#include "modules/wg/wire.h"

static struct wg_peer *peer_of(const struct wg_engine *e,
			       const struct wg_session *s, unsigned side)
{
	return wg_peer(e, wg_link(e, s->link)->peer[side]);
}

bool wg_pass(struct wg_engine *e, const struct wg_in *in, struct wg_session *s,
	     unsigned to)
{
	struct wg_end *end = &s->end[to], *from = &s->end[!to];

	if (!wg_forward(e, in, &end->addr, &end->local))
		return false;
	from->sum.packets++;
	from->sum.bytes += in->len;
	if (s->roams & 1 << to)
		wg_roam_copy(e, in, s, to);
	return true;
}

/* ---- the good path ---- */

static void from_here(struct wg_engine *e, const struct wg_in *in,
		      struct wg_session *s, unsigned to)
{
	struct wg_end *from = &s->end[!to];
	uint64_t next = wg_get64(in->data + WG_COUNTER) + 1;

	if (wg_counter_take(&from->next, next))
		s->fresh_ms[!to] = e->now_ms;
	/* it is there: who spoke from elsewhere is somebody else */
	if (s->roams & 1 << !to)
		wg_roam_back(e, s, !to);
	s->used_ms = e->now_ms;
	s->heard_ms[!to] = e->now_ms;
	if (s->stands || wg_session_judge(e, s))
		wg_pass(e, in, s, to);
}

static bool may_speak(struct wg_engine *e, struct wg_session *s, unsigned to)
{
	if (s->confirmed)
		return true;
	if (to == s->initiator)
		return false; /* a responder does not speak first */
	wg_tries_done(e, &s->end[!to].addr, peer_of(e, s, to));
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
		wg_roam_data(e, in, s, to);
	else if (may_speak(e, s, to))
		from_here(e, in, s, to);
	else
		wg_drop(e, WG_DROP_UNKNOWN_SRC, &in->from, NULL);
}
