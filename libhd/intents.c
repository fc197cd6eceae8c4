/* SPDX-License-Identifier: MIT */
/* libhd/intents.c - what two peers want of the path between them, and what they
 * have agreed on. Who has asked is answered, and nothing of it is kept for
 * longer than both are here. */
#include <errno.h>
#include <hyper-derp/hd_intents.h>
#include <string.h>
#include "libhd/inner.h"

_Static_assert((int)LIBHD_REQUIRE_RELAY == (int)HDP_REQUIRE_RELAY &&
		       (int)LIBHD_PATH_NONE == (int)HDP_AGREED_NOT,
	       "the protocol's numbers");

enum { NUMBER_AT = 4, INTENT_AT = 8 }; /* behind the handle */

int hdl_intent_put(struct libhd_peer *peer)
{
	uint8_t p[HDP_INTENT_BYTES];

	hdp_put_u32(p, peer->handle);
	randombytes_buf(p + NUMBER_AT, INTENT_AT - NUMBER_AT);
	p[INTENT_AT] = peer->intent;
	return hdl_put(peer->h, HDP_OPEN_CONNECTION, p, sizeof(p), NULL, 0);
}

int hdl_intent_answer(struct libhd_peer *peer)
{
	uint8_t p[HDP_INTENT_BYTES + 1];

	hdp_put_u32(p, peer->handle);
	memcpy(p + NUMBER_AT, peer->number, sizeof(peer->number));
	p[INTENT_AT] = (uint8_t)peer->other_intent;
	p[INTENT_AT + 1] = peer->has_intent ? peer->intent
					    : (uint8_t)HDP_REQUIRE_RELAY;
	return hdl_put(peer->h, HDP_ANSWER, p, sizeof(p), NULL, 0);
}

static int open_soon(struct libhd_peer *peer)
{
	return peer->here && peer->has_intent ? hdl_ask(peer, HDL_DUE_OPEN)
					      : 0;
}

int libhd_peer_set_intent(struct libhd_peer *peer, enum libhd_intent intent)
{
	if ((unsigned)intent > LIBHD_REQUIRE_RELAY)
		return -EINVAL;
	peer->intent = (uint8_t)intent;
	peer->has_intent = true;
	return open_soon(peer);
}

int libhd_peer_intent(const struct libhd_peer *peer)
{
	return peer->other_intent >= 0 ? peer->other_intent : -ENODATA;
}

int libhd_peer_path(const struct libhd_peer *peer)
{
	return peer->path >= 0 ? peer->path : -ENODATA;
}

void hdl_intents_here(struct libhd_peer *peer)
{
	peer->here = true;
	/* without memory the buffer breaks with the next frame */
	(void)open_soon(peer);
}

void hdl_intents_away(struct libhd_peer *peer)
{
	peer->other_intent = peer->path = -1;
	hdl_ask_not(peer, HDL_DUE_OPEN | HDL_DUE_ANSWER);
}

/* ---- what the relay says ---- */

int hdl_take_incoming(struct libhd *h, const uint8_t *p, size_t n)
{
	struct libhd_peer *peer;

	if (n != HDP_INTENT_BYTES || p[INTENT_AT] > HDP_REQUIRE_RELAY)
		return -EPROTO;
	peer = hdl_peer_of_handle(h, hdp_get_u32(p));
	if (peer == NULL)
		return 0;
	peer->other_intent = (int8_t)p[INTENT_AT];
	memcpy(peer->number, p + NUMBER_AT, sizeof(peer->number));
	return hdl_ask(peer, HDL_DUE_ANSWER);
}

/* OpenResult, AnswerResult; a result of a later version is none. */
int hdl_take_agreed(struct libhd *h, const uint8_t *p, size_t n)
{
	struct libhd_peer *peer;

	if (n != HDP_INTENT_BYTES)
		return -EPROTO;
	peer = hdl_peer_of_handle(h, hdp_get_u32(p));
	if (peer == NULL || p[INTENT_AT] > HDP_AGREED_NOT)
		return 0;
	peer->path = (int8_t)p[INTENT_AT];
	if (h->events.path != NULL)
		h->events.path(h, peer, (enum libhd_path)peer->path, h->user);
	return 0;
}
