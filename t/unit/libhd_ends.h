/* SPDX-License-Identifier: MIT */
/* t/unit/libhd_ends.h - two endpoints of libhd, whose packets are carried by
 * the test: no relay, and nothing is lost. */
#pragma once
#include "libhd/quic.h"
#include "t/unit/libhd_contact.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <hyper-derp/base.h>
#include <stdlib.h>
#include <string.h>

#define HANDLE 256 /* of the other one, at both ends */
#define BLOCK_BYTES (100u << 10)
#define WAIT_MS 60000

struct end {
	struct libhd *h;
	struct libhd_peer *other;
	struct libhd_stream *got; /* the last that the other one has opened */
};

static inline void on_stream(struct libhd *h, struct libhd_peer *from,
		      struct libhd_stream *s, void *user)
{
	struct end *e = user;

	(void)h, (void)from;
	e->got = s;
}

static inline void end_make(struct end *e, uint8_t first, bool accepts)
{
	const uint8_t seed[LIBHD_SEED_BYTES] = { first };
	struct libhd_events events = { .size = sizeof(events),
				       .stream = accepts ? on_stream : NULL };
	struct libhd_identity *id;
	struct libhd_conf conf = { .size = sizeof(conf),
				   .relay = "relay.example",
				   .insecure = true,
				   .streams = true };

	assert_int_equal(libhd_identity_from_seed(seed, &id), 0);
	conf.identity = id;
	assert_int_equal(libhd_new(&conf, &events, e, &e->h), 0);
	libhd_identity_free(&id);
	e->h->phase = HDL_OPEN;
	e->h->ssl = SSL_new(e->h->ssl_ctx); /* takes nothing: out fills up */
	assert_non_null(e->h->ssl);
	e->h->packet_max = LIBHD_PACKET_MAX_BYTES;
}

static inline void contact(struct end *e, const struct end *other)
{
	e->other = contact_put(e->h, other->h, HANDLE);
}

static inline void pair_make(struct end *a, struct end *b, bool a_accepts)
{
	memset(a, 0, sizeof(*a));
	memset(b, 0, sizeof(*b));
	end_make(a, 1, a_accepts);
	end_make(b, 2, true);
	contact(a, b);
	contact(b, a);
}

static inline void carry(struct end *from, struct end *to)
{
	hdl_streams_run(from->h);
	if (from->h->out.n > 0)
		assert_int_equal(hdl_frames(to->h, hdl_buf_front(&from->h->out),
					    from->h->out.n),
				 from->h->out.n);
	hdl_buf_free(&from->h->out);
}

/* Until it is so, or for so long that it never will be. */
#define TURN_UNTIL(a, b, what)                                                 \
	do {                                                                   \
		int64_t until_ms = hdl_now_ms() + WAIT_MS;                     \
		while (!(what) && hdl_now_ms() < until_ms) {                   \
			carry(a, b);                                           \
			carry(b, a);                                           \
		}                                                              \
		assert_true(what);                                             \
	} while (0)

static inline struct libhd_stream *opened(struct end *a, struct end *b)
{
	struct libhd_stream *s;

	b->got = NULL;
	assert_int_equal(libhd_stream_open(a->other, &s), 0);
	assert_int_equal(libhd_stream_write(s, "x", 1), 1);
	TURN_UNTIL(a, b, b->got != NULL);
	return s;
}

static inline void write_all(struct end *a, struct end *b,
			     struct libhd_stream *s)
{
	static const char block[BLOCK_BYTES];

	assert_int_equal(libhd_stream_write(s, block, sizeof(block)),
			 sizeof(block));
	libhd_stream_end(s);
	TURN_UNTIL(a, b, libhd_stream_unsent_bytes(s) == 0);
}

static inline size_t drain(struct libhd_stream *s)
{
	static char v[BLOCK_BYTES];
	size_t got = 0;
	ssize_t n;

	while ((n = libhd_stream_read(s, v, sizeof(v))) > 0)
		got += (size_t)n;
	return got;
}
