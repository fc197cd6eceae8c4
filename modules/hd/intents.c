/* SPDX-License-Identifier: MIT */
/* modules/hd/intents.c - two clients agree whether their packets go through
 * relays or directly. The relays hand on what they say and work out what it
 * means; nothing of it is kept here. Only between contacts of each other.
 * Context: the stream's worker, which is the client's home. */
#include <errno.h>
#include <hyper-derp/worker.h>
#include <string.h>
#include "modules/hd/intents.h"

/* A signal's body: number(4) of the opener, its intent, that of the other. */
#define NUMBER_BYTES 4
enum { OPENERS_AT = NUMBER_BYTES, OTHERS_AT, BODY_BYTES };

static bool is_intent(uint8_t intent)
{
	return intent <= HDP_REQUIRE_RELAY;
}

enum hdp_agreed hdp_intents_meet(uint8_t a, uint8_t b)
{
	bool direct = a == HDP_REQUIRE_DIRECT || b == HDP_REQUIRE_DIRECT;
	bool relay = a == HDP_REQUIRE_RELAY || b == HDP_REQUIRE_RELAY;

	if (b == HDP_INTENT_NO || (direct && relay))
		return HDP_AGREED_NOT;
	if (direct || relay)
		return direct ? HDP_AGREED_DIRECT : HDP_AGREED_RELAY;
	return a == HDP_PREFER_DIRECT && b == HDP_PREFER_DIRECT
		       ? HDP_AGREED_DIRECT
		       : HDP_AGREED_RELAY;
}

/* handle(4) number(4) and one byte. */
static void tell(struct hd_stream *s, enum hdp_type type, uint32_t handle,
		 const uint8_t *number, uint8_t what)
{
	uint8_t frame[HDP_HEADER_BYTES + HDP_INTENT_BYTES];
	uint8_t *p = hdp_header_put(frame, type, HDP_INTENT_BYTES);

	hdp_put_u32(p, handle);
	memcpy(p + 4, number, NUMBER_BYTES);
	p[4 + NUMBER_BYTES] = what;
	hd_stream_append(s, HD_LANE_URGENT, frame, sizeof(frame));
}

static bool may_speak(struct hd_module *mod, struct hd_stream *s,
		      struct hdp_state *d)
{
	bool ok = hdp_bucket_take(&d->knocks_in,
				  hd_now_ms(hd_stream_worker(s)));

	hd_count(&hdp_metrics(mod, s)->knocks_dropped, !ok);
	return ok;
}

/* OpenConnection: handle number intent. */
int hdp_take_open(struct hd_module *mod, struct hd_stream *s,
		  struct hdp_state *d, uint8_t *p, uint32_t len_bytes)
{
	const struct hdp_contact *to =
		hdp_contacts_at(&d->contacts, hdp_get_u32(p));
	uint8_t body[BODY_BYTES];

	(void)len_bytes;
	if (!is_intent(p[4 + NUMBER_BYTES]))
		return -EBADMSG;
	if (to == NULL || !may_speak(mod, s, d))
		return 0;
	memcpy(body, p + 4, NUMBER_BYTES);
	body[OPENERS_AT] = p[4 + NUMBER_BYTES];
	body[OTHERS_AT] = HDP_INTENT_NO;
	hdp_signal(d->peer, &to->key, HDP_SIGNAL_OPEN, body, sizeof(body));
	return 0;
}

/* Answer: handle number, the opener's intent as it came, its own. */
int hdp_take_answer(struct hd_module *mod, struct hd_stream *s,
		    struct hdp_state *d, uint8_t *p, uint32_t len_bytes)
{
	uint32_t handle = hdp_get_u32(p);
	const struct hdp_contact *to = hdp_contacts_at(&d->contacts, handle);
	const uint8_t *number = p + 4, *intents = number + NUMBER_BYTES;

	(void)len_bytes;
	if (!is_intent(intents[0]) ||
	    (!is_intent(intents[1]) && intents[1] != HDP_INTENT_NO))
		return -EBADMSG;
	if (to == NULL || !may_speak(mod, s, d))
		return 0;
	hdp_signal(d->peer, &to->key, HDP_SIGNAL_ANSWER, number, BODY_BYTES);
	tell(s, HDP_ANSWER_RESULT, handle, number,
	     (uint8_t)hdp_intents_meet(intents[0], intents[1]));
	return 0;
}

void hdp_intents_signal(struct hd_stream *s, uint32_t handle,
			const struct hdp_said *said)
{
	const uint8_t *b = said->body;

	if (said->n != BODY_BYTES || !is_intent(b[OPENERS_AT]))
		return;
	if (said->kind == HDP_SIGNAL_OPEN)
		tell(s, HDP_INCOMING, handle, b, b[OPENERS_AT]);
	else if (said->kind == HDP_SIGNAL_ANSWER)
		tell(s, HDP_OPEN_RESULT, handle, b,
		     (uint8_t)hdp_intents_meet(b[OPENERS_AT], b[OTHERS_AT]));
}
