/* SPDX-License-Identifier: MIT */
/* t/unit/libhd_relays.h - an endpoint of libhd with several relays, none of
 * which is there. */
#pragma once
#include "libhd/inner.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <hyper-derp/base.h>
#include <string.h>

static inline struct libhd *endpoint(unsigned n, bool once)
{
	static const struct libhd_relay relays[LIBHD_RELAYS_MAX] = {
		{ .name = "one.example" },
		{ .name = "[2001:db8::2]:3340", .has_key = true,
		  .key = { { 2 } } },
		{ .name = "three.example:3340" },
		{ .name = "four.example" },
	};
	const uint8_t seed[LIBHD_SEED_BYTES] = { 1 };
	struct libhd_identity *id;
	struct libhd_conf conf = { .size = sizeof(conf),
				   .relays = relays,
				   .n_relays = n,
				   .once = once };
	struct libhd *h;

	assert_int_equal(libhd_identity_from_seed(seed, &id), 0);
	conf.identity = id;
	assert_int_equal(libhd_new(&conf, NULL, NULL, &h), 0);
	libhd_identity_free(&id);
	return h;
}

/* Welcome, at the relay that it is at. */
static inline void opened(struct libhd *h)
{
	static const uint8_t welcome[HDP_WELCOME_BYTES];

	h->phase = HDL_ENROLLING;
	assert_int_equal(hdl_take_welcome(h, welcome, sizeof(welcome)), 0);
	assert_int_equal(libhd_state_of(h), LIBHD_OPEN);
}
