/* SPDX-License-Identifier: MIT */
/* t/unit/libhd_anew.c - libhd: an end that goes, and comes back as itself or
 * started anew, with the same key and nothing else. */
#include "t/unit/libhd_ends.h"

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
	static const char more[100]; /* what is too short is not answered */
	struct libhd_stream *s;
	struct end a, b, again;

	(void)state;
	pair_make(&a, &b, true);
	s = opened(&a, &b);
	again_make(&again, &a);
	assert_int_equal(libhd_stream_write(s, more, sizeof(more)), 100);
	TURN_UNTIL(&a, &again, s->error != 0);
	assert_int_equal(s->error, -ECONNRESET);
	libhd_stream_close(&s);
	libhd_free(&a.h);
	libhd_free(&b.h);
	libhd_free(&again.h);
}

static void said_here(struct end *e)
{
	uint8_t frame[HDP_HEADER_BYTES + 4];

	hdp_put_u32(hdp_header_put(frame, HDP_ALLOWED, 4), HANDLE);
	assert_int_equal(hdl_frames(e->h, frame, sizeof(frame)), sizeof(frame));
}

static void said(struct end *e, enum hdp_gone why)
{
	uint8_t frame[HDP_HEADER_BYTES + HDP_GONE_BYTES];
	uint8_t *p = hdp_header_put(frame, HDP_PEER_GONE, HDP_GONE_BYTES);

	hdp_put_u32(p, HANDLE);
	p[4] = (uint8_t)why;
	assert_int_equal(hdl_frames(e->h, frame, sizeof(frame)), sizeof(frame));
}

static struct libhd_stream *opens(struct end *a)
{
	struct libhd_stream *s;

	assert_int_equal(libhd_stream_open(a->other, &s), 0);
	assert_int_equal(libhd_stream_write(s, "y", 1), 1);
	return s;
}

static bool has_streams(const struct end *e, unsigned n)
{
	struct libhd_stream *s = e->h->tls->streams;

	for (; s != NULL && n > 0; n--)
		s = s->next;
	return s == NULL && n == 0;
}

/* Opened while b is away, or just when it is back, before a can know that it is
 * another; what was open before is reset. */
static void streams_go_to_who_was_started_anew(void **state)
{
	struct libhd_stream *s, *away, *back, *got;
	struct end a, b, again;
	char v[2];

	(void)state;
	pair_make(&a, &b, true);
	s = opened(&a, &b);
	said(&a, HDP_GONE_DISCONNECTED);
	away = opens(&a);
	carry(&a, &b); /* lost */
	again_make(&again, &a);
	said_here(&a);
	back = opens(&a);
	TURN_UNTIL(&a, &again, s->error != 0 && has_streams(&again, 2));
	for (got = again.h->tls->streams; got != NULL; got = got->next) {
		assert_int_equal(libhd_stream_read(got, v, 2), 1);
		libhd_stream_end(got);
	}
	TURN_UNTIL(&a, &again, away->eof && back->eof);
	assert_int_equal(away->error | back->error, 0);
	libhd_free(&a.h);
	libhd_free(&b.h);
	libhd_free(&again.h);
}

/* Nothing of it is sent again to who has had some. */
static void what_was_sent_goes_to_nobody_else(void **state)
{
	struct end a, b, again;
	struct libhd_stream *s;

	(void)state;
	pair_make(&a, &b, true);
	s = opened(&a, &b);
	again_make(&again, &a);
	said_here(&a);
	s = opens(&a);
	libhd_stream_end(s);
	TURN_UNTIL(&a, &again, again.got != NULL);
	assert_true(has_streams(&again, 1));
	libhd_free(&a.h);
	libhd_free(&b.h);
	libhd_free(&again.h);
}

/* It was away for a moment: its connection goes on, and streams by it. */
static void streams_go_on_to_who_is_back(void **state)
{
	struct libhd_stream *s, *t;
	struct end a, b;

	(void)state;
	pair_make(&a, &b, true);
	s = opened(&a, &b);
	t = b.got;
	said(&a, HDP_GONE_DISCONNECTED);
	carry(&a, &b);
	said_here(&a);
	b.got = NULL;
	(void)opens(&a);
	TURN_UNTIL(&a, &b, b.got != NULL);
	assert_ptr_equal(b.got->q, t->q);
	assert_int_equal(s->error, 0);
	libhd_free(&a.h);
	libhd_free(&b.h);
}

/* To one who was not there yet: no timer of QUIC is waited for. */
static void a_connection_begins_anew_when_somebody_comes(void **state)
{
	struct libhd_stream *s;
	struct hdl_quic *q;
	struct end a, b;

	(void)state;
	pair_make(&a, &b, true);
	s = opens(&a);
	hdl_streams_run(a.h);
	hdl_buf_free(&a.h->out); /* lost */
	q = s->q;
	said_here(&a);
	TURN_UNTIL(&a, &b, s->q != q);
	TURN_UNTIL(&a, &b, b.got != NULL);
	assert_int_equal(s->error, 0);
	libhd_free(&a.h);
	libhd_free(&b.h);
}

/* A relay that gives a's packets to b as c's learns no token that a takes. */
static void what_is_said_to_another_resets_nothing(void **state)
{
	static const char more[100];
	struct end a, b, c, again;
	struct libhd_stream *s;

	(void)state;
	pair_make(&a, &b, true);
	s = opened(&a, &b);
	memset(&c, 0, sizeof(c));
	end_make(&c, 3, true);
	again_make(&again, &c);
	assert_int_equal(libhd_stream_write(s, more, sizeof(more)), 100);
	carry(&a, &again);
	assert_true(again.h->out.n > 0); /* it says something */
	carry(&again, &a);
	assert_int_equal(s->error, 0);
	write_all(&a, &b, s);
	assert_int_equal(drain(b.got), 1 + 100 + BLOCK_BYTES);
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

static unsigned frames(const struct end *e)
{
	const uint8_t *p = hdl_buf_front(&e->h->out);
	size_t left = e->h->out.n;
	unsigned n = 0;

	for (; left > 0; n++) {
		size_t len = HDP_HEADER_BYTES + hdp_header_get(p).len_bytes;

		assert_true(len <= left);
		p += len;
		left -= len;
	}
	return n;
}

/* What only the one who knows it drops, and a PING. */
static void it_is_asked_by_two_packets(void **state)
{
	struct libhd_stream *s;
	struct end a, b;

	(void)state;
	pair_make(&a, &b, true);
	s = opened(&a, &b);
	TURN_UNTIL(&a, &b, libhd_stream_unsent_bytes(s) == 0);
	said_here(&a);
	do
		hdl_streams_run(a.h);
	while (s->q->wants_ping); /* the rate may have no room for it */
	assert_in_range(frames(&a), 2, 3); /* or an acknowledgement, too */
	libhd_free(&a.h);
	libhd_free(&b.h);
}

/* There is room for nothing when it is to be asked. */
static void a_ping_waits_for_room(void **state)
{
	static const uint8_t full[HDL_OUT_MAX_BYTES];
	struct libhd_stream *s;
	struct end a, b;

	(void)state;
	pair_make(&a, &b, true);
	s = opened(&a, &b);
	said_here(&a);
	assert_int_equal(hdl_put(a.h, HDP_PING, full, sizeof(full), NULL, 0),
			 0);
	hdl_streams_run(a.h);
	assert_true(s->q->wants_ping);
	hdl_buf_free(&a.h->out);
	TURN_UNTIL(&a, &b, !s->q->wants_ping);
	TURN_UNTIL(&a, &b, !s->q->doubted);
	libhd_free(&a.h);
	libhd_free(&b.h);
}

/* Time to ask whether the other one is back; returns whether the relay is
 * asked. */
static bool asks(struct end *e)
{
	bool asked;

	hdl_buf_free(&e->h->out);
	e->other->gone_ms = hdl_now_ms();
	hdl_streams_run(e->h);
	asked = e->h->out.n >= HDP_HEADER_BYTES &&
		hdl_buf_front(&e->h->out)[0] == HDP_ALLOW;
	hdl_buf_free(&e->h->out);
	return asked;
}

/* Its streams end when the relay has been asked, and not before. */
static void who_does_not_come_back_is_given_up(void **state)
{
	struct libhd_stream *s;
	struct end a, b;

	(void)state;
	pair_make(&a, &b, true);
	s = opened(&a, &b);
	said(&a, HDP_GONE_NOT_HERE); /* what nobody has asked here */
	hdl_streams_run(a.h);
	assert_int_equal(s->error, 0);
	said(&a, HDP_GONE_DISCONNECTED);
	said(&a, HDP_GONE_NOT_HERE);
	hdl_streams_run(a.h);
	assert_int_equal(s->error, 0);
	assert_in_range(libhd_timeout_ms(a.h), 0, 3500);
	assert_true(asks(&a));
	assert_int_equal(s->error, 0);
	said(&a, HDP_GONE_NOT_HERE);
	hdl_streams_run(a.h);
	assert_int_equal(s->error, -ECONNRESET);
	libhd_free(&a.h);
	libhd_free(&b.h);
}

static void who_comes_back_in_time_is_not(void **state)
{
	struct libhd_stream *s;
	struct end a, b;

	(void)state;
	pair_make(&a, &b, true);
	s = opened(&a, &b);
	said(&a, HDP_GONE_DISCONNECTED);
	said_here(&a);
	assert_int_equal(a.other->gone_ms, 0);
	said(&a, HDP_GONE_DISCONNECTED);
	assert_true(asks(&a));
	said_here(&a); /* the answer */
	said(&a, HDP_GONE_NOT_HERE);
	hdl_streams_run(a.h);
	assert_int_equal(s->error, 0);
	said(&a, HDP_GONE_DISCONNECTED);
	hdl_peers_lost(a.h); /* a relay that ends says so of all */
	assert_int_equal(a.other->gone_ms, 0);
	libhd_free(&a.h);
	libhd_free(&b.h);
}

/* a is killed and started anew, and opens streams to b again; b hears nothing
 * of the connection that a had opened before. */
static void who_dials_anew_ends_what_it_had(void **state)
{
	struct libhd_stream *old;
	struct end a, b, again;

	(void)state;
	pair_make(&a, &b, true);
	(void)opened(&a, &b);
	old = b.got;
	said(&b, HDP_GONE_DISCONNECTED);
	memset(&again, 0, sizeof(again));
	end_make(&again, 1, true);
	contact(&again, &b);
	said_here(&b);
	(void)opened(&again, &b);
	assert_ptr_not_equal(b.got, old);
	hdl_streams_run(b.h);
	assert_int_equal(old->error, -ECONNRESET);
	assert_int_equal(b.got->error, 0);
	libhd_free(&a.h);
	libhd_free(&b.h);
	libhd_free(&again.h);
}

/* Two processes have one key: the relay has not said that either has gone. */
static void another_with_the_same_key_ends_nothing(void **state)
{
	struct libhd_stream *first;
	struct end a, b, other;

	(void)state;
	pair_make(&a, &b, true);
	(void)opened(&a, &b);
	first = b.got;
	memset(&other, 0, sizeof(other));
	end_make(&other, 1, true);
	contact(&other, &b);
	said_here(&b);
	(void)opened(&other, &b);
	hdl_streams_run(b.h);
	assert_int_equal(first->error, 0);
	libhd_free(&a.h);
	libhd_free(&b.h);
	libhd_free(&other.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_knows_nothing_says_so),
		cmocka_unit_test(streams_go_to_who_was_started_anew),
		cmocka_unit_test(what_was_sent_goes_to_nobody_else),
		cmocka_unit_test(streams_go_on_to_who_is_back),
		cmocka_unit_test(a_connection_begins_anew_when_somebody_comes),
		cmocka_unit_test(who_does_not_come_back_is_given_up),
		cmocka_unit_test(who_comes_back_in_time_is_not),
		cmocka_unit_test(what_is_said_to_another_resets_nothing),
		cmocka_unit_test(an_end_that_knows_it_says_nothing),
		cmocka_unit_test(it_is_asked_by_two_packets),
		cmocka_unit_test(a_ping_waits_for_room),
		cmocka_unit_test(who_dials_anew_ends_what_it_had),
		cmocka_unit_test(another_with_the_same_key_ends_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
