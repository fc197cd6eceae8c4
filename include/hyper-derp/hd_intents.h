/* SPDX-License-Identifier: MIT */
/* hyper-derp/hd_intents.h - the wire format of HD: what two clients want of the
 * path between them. Header only. Source: doc/reference/protocol-hd.md. */
#pragma once

/* hdp_intent - what a client wants of a path; hdp_agreed - what two come to. */
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
/* HDP_INTENT_BYTES - of their frames: handle(4) number(4), and an intent or a
 * result. */
#define HDP_INTENT_BYTES 9
