/* SPDX-License-Identifier: MIT */
/* t/unit/libhd_streams.c - streams of two endpoints of libhd, whose packets are
 * carried by this program: no relay, and nothing is lost. */
#include "libhd/quic.h"
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

static void on_stream(struct libhd *h, struct libhd_peer *from,
		      struct libhd_stream *s, void *user)
{
	struct end *e = user;

	(void)h, (void)from;
	e->got = s;
}

static void end_make(struct end *e, uint8_t first, bool accepts)
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

static void contact(struct end *e, const struct end *other)
{
	uint8_t frame[HDP_HEADER_BYTES + HDP_CONTACT_BYTES] = { 0 }, *p;

	assert_int_equal(libhd_allow(e->h, &other->h->id.key, &e->other), 0);
	p = hdp_header_put(frame, HDP_CONTACT, HDP_CONTACT_BYTES);
	hdp_put_u32(p, HANDLE);
	memcpy(p + 4, e->other->address, HD_KEY_BYTES);
	assert_int_equal(hdl_frames(e->h, frame, sizeof(frame)), sizeof(frame));
	hdl_buf_free(&e->h->out); /* Allow */
}

static void pair_make(struct end *a, struct end *b, bool a_accepts)
{
	memset(a, 0, sizeof(*a));
	memset(b, 0, sizeof(*b));
	end_make(a, 1, a_accepts);
	end_make(b, 2, true);
	contact(a, b);
	contact(b, a);
}

static void carry(struct end *from, struct end *to)
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

static struct libhd_stream *opened(struct end *a, struct end *b)
{
	struct libhd_stream *s;

	b->got = NULL;
	assert_int_equal(libhd_stream_open(a->other, &s), 0);
	assert_int_equal(libhd_stream_write(s, "x", 1), 1);
	TURN_UNTIL(a, b, b->got != NULL);
	return s;
}

static void write_all(struct end *a, struct end *b, struct libhd_stream *s)
{
	static const char block[BLOCK_BYTES];

	assert_int_equal(libhd_stream_write(s, block, sizeof(block)),
			 sizeof(block));
	libhd_stream_end(s);
	TURN_UNTIL(a, b, libhd_stream_unsent_bytes(s) == 0);
}

/* Each in turn has its end both ways before the reader reads; all together are
 * more than the window of the connection. */
static void late_readers_give_the_window_back(void **state)
{
	static char v[2 * BLOCK_BYTES];
	struct end a, b;

	(void)state;
	pair_make(&a, &b, true);
	for (unsigned i = 0; i < 60; i++) {
		struct libhd_stream *s = opened(&a, &b), *t = b.got;

		libhd_stream_end(t);
		write_all(&a, &b, s);
		TURN_UNTIL(&a, &b, t->over);
		if (i % 2 == 0)
			assert_int_equal(libhd_stream_read(t, v, sizeof(v)),
					 1 + BLOCK_BYTES);
		libhd_stream_close(&t);
		libhd_stream_close(&s);
	}
	libhd_free(&a.h);
	libhd_free(&b.h);
}

static void what_nobody_reads_gives_the_window_back(void **state)
{
	struct end a, b;

	(void)state;
	pair_make(&a, &b, true);
	for (unsigned i = 0; i < 60; i++) {
		struct libhd_stream *s = opened(&a, &b), *t = b.got;

		write_all(&a, &b, s);
		libhd_stream_close(&t);
		libhd_stream_close(&s);
	}
	libhd_free(&a.h);
	libhd_free(&b.h);
}

/* libhd never does it, but a peer may: open a stream on our connection. */
static void a_stream_that_nobody_takes_is_closed(void **state)
{
	struct libhd_stream *s, *back;
	struct end a, b;
	struct hdl_quic *q;

	(void)state;
	pair_make(&a, &b, false);
	s = opened(&a, &b);
	q = b.got->q;
	assert_true(q->server);
	back = hdl_stream_new(q);
	assert_non_null(back);
	assert_int_equal(libhd_stream_write(back, "x", 1), 1);
	TURN_UNTIL(&a, &b, back->error != 0);
	assert_int_equal(back->error, -ECONNRESET);
	assert_int_equal(libhd_stream_write(s, "still here", 10), 10);
	libhd_stream_close(&back);
	libhd_stream_close(&s);
	libhd_free(&a.h);
	libhd_free(&b.h);
}

static void keep_full(struct libhd_stream *s)
{
	static const char block[BLOCK_BYTES];

	while (libhd_stream_write(s, block, sizeof(block)) > 0)
		;
}

static size_t drain(struct libhd_stream *s)
{
	static char v[BLOCK_BYTES];
	size_t got = 0;
	ssize_t n;

	while ((n = libhd_stream_read(s, v, sizeof(v))) > 0)
		got += (size_t)n;
	return got;
}

/* Two that always have something to send, of which one began later. */
static void streams_take_turns(void **state)
{
	struct libhd_stream *s[2], *t[2];
	size_t got[2] = { 0 };
	struct end a, b;

	(void)state;
	pair_make(&a, &b, true);
	for (unsigned i = 0; i < 2; i++) {
		s[i] = opened(&a, &b);
		t[i] = b.got;
	}
	while (got[0] + got[1] < 20 * HDL_RING_BYTES) {
		for (unsigned i = 0; i < 2; i++)
			keep_full(s[i]);
		carry(&a, &b);
		for (unsigned i = 0; i < 2; i++)
			got[i] += drain(t[i]);
		carry(&b, &a);
	}
	for (unsigned i = 0; i < 2; i++)
		assert_true(got[i] > 5 * HDL_RING_BYTES);
	libhd_free(&a.h);
	libhd_free(&b.h);
}

/* ---- an end that has been started anew ---- */

/* With the key of b and nothing else of it; whom it takes a's packets to be
 * from is said by the relay. */
static void again_make(struct end *again, const struct end *from)
{
	memset(again, 0, sizeof(*again));
	end_make(again, 2, true);
	contact(again, from);
}

static void who_knows_nothing_says_so(void **state)
{
	struct libhd_stream *s;
	struct end a, b, again;

	(void)state;
	pair_make(&a, &b, true);
	s = opened(&a, &b);
	again_make(&again, &a);
	assert_int_equal(libhd_stream_write(s, "more", 4), 4);
	TURN_UNTIL(&a, &again, s->error != 0);
	assert_int_equal(s->error, -ECONNRESET);
	libhd_stream_close(&s);
	libhd_free(&a.h);
	libhd_free(&b.h);
	libhd_free(&again.h);
}

/* A relay that gives a's packets to b as c's learns no token that a takes. */
static void what_is_said_to_another_resets_nothing(void **state)
{
	struct end a, b, c, again;
	struct libhd_stream *s;

	(void)state;
	pair_make(&a, &b, true);
	s = opened(&a, &b);
	memset(&c, 0, sizeof(c));
	end_make(&c, 3, true);
	again_make(&again, &c);
	assert_int_equal(libhd_stream_write(s, "more", 4), 4);
	carry(&a, &again);
	assert_true(again.h->out.n > 0); /* it says something */
	carry(&again, &a);
	assert_int_equal(s->error, 0);
	write_all(&a, &b, s);
	assert_int_equal(drain(b.got), 1 + 4 + BLOCK_BYTES);
	libhd_free(&a.h);
	libhd_free(&b.h);
	libhd_free(&c.h);
	libhd_free(&again.h);
}

/* What a sends to ask whether b knows its connection, as anybody may. */
static void an_end_that_knows_it_says_nothing(void **state)
{
	struct libhd_stream *s;
	struct end a, b;

	(void)state;
	pair_make(&a, &b, true);
	s = opened(&a, &b);
	for (unsigned i = 0; i < 100; i++) {
		hdl_streams_here(a.other);
		carry(&a, &b);
		carry(&b, &a);
	}
	assert_int_equal(s->error, 0);
	write_all(&a, &b, s);
	assert_int_equal(drain(b.got), 1 + BLOCK_BYTES);
	libhd_free(&a.h);
	libhd_free(&b.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(late_readers_give_the_window_back),
		cmocka_unit_test(what_nobody_reads_gives_the_window_back),
		cmocka_unit_test(a_stream_that_nobody_takes_is_closed),
		cmocka_unit_test(streams_take_turns),
		cmocka_unit_test(who_knows_nothing_says_so),
		cmocka_unit_test(what_is_said_to_another_resets_nothing),
		cmocka_unit_test(an_end_that_knows_it_says_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
