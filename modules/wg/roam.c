/* SPDX-License-Identifier: MIT */
/* modules/wg/roam.c - data from an address that is not the end's.
 *
 *      X spoke 5 s ago or less, Z sends data
 *   AT X ----------------------------------> AT X, copies to Z
 *    ^                                           |
 *    `-- X speaks; Z is silent; nobody answers --'
 *
 * The relay cannot tell data from forged or replayed data; only the other end
 * can. So what comes from a new address Z, with the right index and a counter
 * never seen before, is forwarded, and proves nothing. While the old address X
 * has just been in use, Z may be its client behind a new mapping: answers go to
 * both: to X as before, to Z at most three times what Z has sent. When X has
 * had answers and been silent for a second it is most likely gone: then Z gets
 * up to a hundred times what it sends, which a download needs, whose receiver
 * sends little. Not more: Z may be somebody else's address, put there by who
 * sees the index. Nothing in the data of a session shows that Z receives any of
 * it; the handshake that its client makes next does.
 *
 * Three things end it. X speaks. Or the other end begins a handshake, proves
 * its address and has no answer: WireGuard begins one 15 s after it last heard
 * something that was genuine, so what Z says is not, and nobody is believed to
 * have moved in this session any more. Or Z falls silent.
 *
 * When two addresses claim to be the new one, the one that spoke last gets the
 * copies.
 *
 * Where X has been silent for longer nothing is risked: only a handshake shows
 * where the peer is. A client that wants an answer begins one after 15 s. */
#include "modules/wg/state.h"
#include "modules/wg/wire.h"

enum {
	RECENT_MS = 5000, /* so long ago X spoke, at most */
	QUIET_MS = 30000, /* of Z: a keepalive is due after 25 s */
	ROAM_AGAIN_MS = 1000, /* after one that came to nothing */
	ROAM_PER_S = 5000, /* packets from one host that may have moved */
	CREDIT = 3, /* bytes for each byte */
	SILENCE_MS = 1000, /* of X, which has had answers: */
	CREDIT_GONE = 100, /* then */
	CREDIT_MAX_BYTES = 1 << 20,
};

static struct wg_peer *peer_of(const struct wg_engine *e,
			       const struct wg_session *s, unsigned side)
{
	return wg_peer(e, wg_link(e, s->link)->peer[side]);
}

/* ---- it may have moved ---- */

/* From now on all of the session must be seen here. */
static void begin(struct wg_engine *e, struct wg_session *s, unsigned side,
		  const struct wg_in *in)
{
	wg_paths_remove(e, s);
	s->roams |= (uint8_t)(1 << side);
	s->roam[side] =
		(struct wg_roam){ .addr = in->from, .local = in->local };
}

/* Only where the end itself was heard just now: a copy of what it said before
 * is not that. And not where it came to nothing before, in this session. */
static bool may_begin(const struct wg_engine *e, const struct wg_session *s,
		      unsigned side)
{
	const struct wg_roam *roam = &s->roam[side];

	if (s->roams & 1 << side)
		return true;
	if (!s->fast || roam->doubted || s->fresh_ms[side] == 0 ||
	    e->now_ms - s->fresh_ms[side] > RECENT_MS)
		return false;
	return roam->last_ms == 0 || e->now_ms - roam->last_ms >= ROAM_AGAIN_MS;
}

static void allow(struct wg_roam *roam, uint64_t bytes)
{
	roam->credit_bytes = (uint32_t)HD_MIN(roam->credit_bytes + bytes,
					      (uint64_t)CREDIT_MAX_BYTES);
}

/* Whether X has left, as it seems. Found when there is something for it: its
 * client may have nothing to send before it gets that. */
static void look_for_old(const struct wg_engine *e, struct wg_roam *roam)
{
	if (roam->asked_ms == 0)
		roam->asked_ms = e->now_ms;
	if (roam->gone || e->now_ms - roam->asked_ms < SILENCE_MS)
		return;
	roam->gone = true;
	allow(roam, (uint64_t)(CREDIT_GONE - CREDIT) * roam->sent_bytes);
}

static void note(struct wg_engine *e, struct wg_session *s, unsigned side,
		 const struct wg_in *in, uint64_t next)
{
	struct wg_roam *roam = &s->roam[side];
	bool same = (s->roams & 1 << side) &&
		    wg_addr_same(&roam->addr, &in->from);

	if (!same && !may_begin(e, s, side))
		return;
	if (!same)
		begin(e, s, side, in);
	if (!wg_counter_take(&roam->next, next))
		return;
	roam->last_ms = e->now_ms;
	roam->sent_bytes += in->len;
	allow(roam, (uint64_t)(roam->gone ? CREDIT_GONE : CREDIT) * in->len);
}

/* ---- what comes ---- */

static bool may_come_from(struct wg_engine *e, const struct wg_in *in)
{
	struct wg_source *src = wg_source_get(e, &in->from);

	return src != NULL && wg_bucket_take(&src->data, ROAM_PER_S, ROAM_PER_S,
					     1, e->now_ms);
}

void wg_roam_data(struct wg_engine *e, const struct wg_in *in,
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
	if (wg_pass(e, in, s, to))
		note(e, s, !to, in, next);
}

bool wg_roam_copy(struct wg_engine *e, const struct wg_in *in,
		  struct wg_session *s, unsigned side)
{
	struct wg_roam *roam = &s->roam[side];

	if (in->len > WG_DATA_MIN_BYTES) /* nobody answers a keepalive */
		look_for_old(e, roam);
	if (roam->credit_bytes < in->len)
		return false;
	roam->credit_bytes -= in->len;
	if (!wg_forward(e, in, &roam->addr, &roam->local))
		return false;
	e->sum.copied_bytes += in->len;
	return true;
}

/* ---- what ends it ---- */

void wg_roam_back(struct wg_engine *e, struct wg_session *s, unsigned side)
{
	s->roams &= (uint8_t)~(1 << side);
	s->roam[side].last_ms = e->now_ms;
	wg_paths_put(e, s);
}

bool wg_has_roamed(const struct wg_engine *e, const struct wg_link *l,
		   unsigned side)
{
	const struct wg_session *s;

	wg_each_session (e, l, s)
		if (s->roams & 1 << side)
			return true;
	return false;
}

void wg_roam_doubt(struct wg_engine *e, struct wg_link *l, unsigned side,
		   const struct wg_addr *asker)
{
	struct wg_session *s;

	wg_each_session (e, l, s)
		if ((s->roams & 1 << side) &&
		    wg_addr_same(&s->end[!side].addr, asker)) {
			wg_roam_back(e, s, side);
			s->roam[side].doubted = true;
		}
}

/* Who falls silent there is not there. */
void wg_roam_expire(struct wg_engine *e, struct wg_session *s)
{
	for (unsigned i = 0; i < 2; i++)
		if ((s->roams & 1 << i) &&
		    e->now_ms - s->roam[i].last_ms >= QUIET_MS)
			wg_roam_back(e, s, i);
}
