/* SPDX-License-Identifier: MIT */
/* modules/hd/intents.h - what two clients want of the path between them.
 * Context: the client's home worker. */
#pragma once
#include "modules/hd/hd.h"

/* hdp_intent, hdp_agreed - as doc/reference/protocol-hd.md numbers them. */
enum hdp_intent {
	HDP_PREFER_DIRECT = 0,
	HDP_REQUIRE_DIRECT = 1,
	HDP_PREFER_RELAY = 2,
	HDP_REQUIRE_RELAY = 3,
	HDP_INTENT_NO = 255, /* of an answer: it wants none of it */
};
enum hdp_agreed {
	HDP_AGREED_DIRECT = 0,
	HDP_AGREED_RELAY = 1,
	HDP_AGREED_NOT = 2,
};
#define HDP_INTENT_BYTES 9
/* hdp_intents_meet - of who opens, and who answers.
 * hdp_intents_signal - of a contact, to the client. */
enum hdp_agreed hdp_intents_meet(uint8_t a, uint8_t b);
void hdp_intents_signal(struct hd_stream *s, uint32_t handle,
			const struct hdp_said *said);
int hdp_take_open(struct hd_module *mod, struct hd_stream *s,
		  struct hdp_state *d, uint8_t *p, uint32_t len_bytes);
int hdp_take_answer(struct hd_module *mod, struct hd_stream *s,
		    struct hdp_state *d, uint8_t *p, uint32_t len_bytes);
