/* SPDX-License-Identifier: MIT */
/* modules/wg/cookies.c - cookie replies of peers that are under load. They go
 * to whoever's initiation or response carried the index. */
#include "modules/wg/state.h"
#include "modules/wg/wire.h"

enum { REPLIES_MAX = 2 }; /* to one initiation */

static void to_initiator(struct wg_engine *e, const struct wg_in *in,
			 struct wg_pending *p)
{
	if (p->n_cookies++ >= REPLIES_MAX) {
		wg_drop(e, WG_DROP_RATE, &in->from, wg_peer(e, p->to));
		return;
	}
	if (!p->known)
		wg_caller_has_cookie(e, &p->from);
	if (p->proof == WG_PROOF_NOW)
		wg_caller_spare(e, &p->from);
	p->answered = true;
	wg_forward(e, in, &p->from, &p->local);
}

/* The initiator answers a response so; the session is not confirmed then. */
static void to_responder(struct wg_engine *e, const struct wg_in *in,
			 uint32_t index)
{
	unsigned to;
	bool here;
	struct wg_session *s =
		wg_session_find(e, index, &in->from, &to, &here);

	if (s == NULL || !here || s->confirmed || to == s->initiator) {
		wg_drop(e, WG_DROP_UNKNOWN_SRC, &in->from, NULL);
		return;
	}
	wg_forward(e, in, &s->end[to].addr, &s->end[to].local);
}

void wg_on_cookie(struct wg_engine *e, const struct wg_in *in)
{
	uint32_t index = wg_get32(in->data + WG_RECEIVER_OF_COOKIE);
	struct wg_pending *p = wg_pending_answered(e, index, &in->from);

	if (p != NULL)
		to_initiator(e, in, p);
	else
		to_responder(e, in, index);
}
