/* SPDX-License-Identifier: MIT */
/* libhd/asks.c - knocks, and what is said of intents: of both together a relay
 * takes 16 at once and then one a second, and drops the rest without a word.
 * So those beyond wait here, and peers take turns: one that asks without end
 * does not keep us from the others. */
#include "libhd/inner.h"

/* One less than it takes: on the way two may come closer to each other. */
#define AT_ONCE 15
#define EACH_MS 1000

static int64_t next_ms(const struct libhd *h)
{
	return h->asks_paid_ms - (int64_t)(AT_ONCE - 1) * EACH_MS;
}

static struct libhd_peer *longest(const struct libhd *h)
{
	struct libhd_peer *peer, *next, *ret = NULL;

	HASH_ITER(by_address, h->by_address, peer, next) {
		if (peer->due != 0 &&
		    (ret == NULL || peer->due_at < ret->due_at))
			ret = peer;
	}
	return ret;
}

static void settle(struct libhd_peer *peer, unsigned what)
{
	bool was = peer->due != 0;

	peer->due &= (uint8_t)~what;
	peer->h->n_due -= was && peer->due == 0;
}

static int say(struct libhd_peer *peer)
{
	unsigned due = peer->due, what = due & -due; /* the first of them */

	settle(peer, what);
	peer->due_at = ++peer->h->asks;
	if (what == HDL_DUE_KNOCK)
		return hdl_knock_put(peer);
	return what == HDL_DUE_OPEN ? hdl_intent_put(peer)
				    : hdl_intent_answer(peer);
}

int hdl_asks_run(struct libhd *h)
{
	int64_t now;
	int r = 0;

	if (h->n_due == 0)
		return 0;
	now = hdl_now_ms();
	while (r == 0 && h->n_due > 0 && next_ms(h) <= now &&
	       h->out.n < HDL_OUT_MAX_BYTES) {
		h->asks_paid_ms = HD_MAX(h->asks_paid_ms, now) + EACH_MS;
		r = say(longest(h));
	}
	return r;
}

int64_t hdl_asks_timeout_ms(const struct libhd *h)
{
	if (h->n_due == 0 || h->out.n >= HDL_OUT_MAX_BYTES)
		return -1;
	return hdl_left_ms(next_ms(h));
}

int hdl_ask(struct libhd_peer *peer, enum hdl_due what)
{
	struct libhd *h = peer->h;

	if (h->phase != HDL_OPEN)
		return 0;
	if (peer->due == 0) {
		peer->due_at = ++h->asks;
		h->n_due++;
	}
	peer->due |= (uint8_t)what;
	return hdl_asks_run(h);
}

void hdl_ask_not(struct libhd_peer *peer, unsigned what)
{
	settle(peer, what);
}

void hdl_asks_lost(struct libhd *h)
{
	h->asks_paid_ms = 0; /* the next connection has as many */
}
