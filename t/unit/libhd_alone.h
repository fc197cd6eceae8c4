/* SPDX-License-Identifier: MIT */
/* t/unit/libhd_alone.h - an endpoint without a connection, and what a relay
 * would say to it. */
#pragma once

#include "libhd/inner.h"
#include "t/unit/unit.h"

static inline struct libhd *alone_new(const struct libhd_events *events,
				      void *user)
{
	const uint8_t seed[LIBHD_SEED_BYTES] = { 1 };
	struct libhd_conf conf = { .size = sizeof(conf),
				   .relay = "relay.example",
				   .insecure = true };
	struct libhd_identity *id;
	struct libhd *h;

	assert_int_equal(libhd_identity_from_seed(seed, &id), 0);
	conf.identity = id;
	assert_int_equal(libhd_new(&conf, events, user, &h), 0);
	libhd_identity_free(&id);
	return h;
}

/* It is enrolled, with room for so many contacts. */
static inline void alone_enrolled(struct libhd *h, uint32_t contacts)
{
	uint8_t welcome[HDP_WELCOME_BYTES] = { 0 };

	hdp_put_u32(welcome + HD_KEY_BYTES + 4, contacts);
	hdp_put_u32(welcome + HD_KEY_BYTES + 8, HDP_PACKET_MAX_BYTES);
	h->phase = HDL_ENROLLING;
	assert_int_equal(hdl_take_welcome(h, welcome, sizeof(welcome)), 0);
}
