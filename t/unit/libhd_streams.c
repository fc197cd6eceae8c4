/* SPDX-License-Identifier: MIT */
/* t/unit/libhd_streams.c - streams of two endpoints of libhd: windows, turns.
 */
#include "t/unit/libhd_ends.h"

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
		assert_non_null(b.got->in.chunks);
		libhd_stream_close(&t);
		assert_null(b.got->in.chunks); /* it is not over yet */
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
	while (got[0] + got[1] < 20u << 20) {
		for (unsigned i = 0; i < 2; i++)
			keep_full(s[i]);
		carry(&a, &b);
		for (unsigned i = 0; i < 2; i++)
			got[i] += drain(t[i]);
		carry(&b, &a);
	}
	for (unsigned i = 0; i < 2; i++)
		assert_true(got[i] > 5u << 20);
	libhd_free(&a.h);
	libhd_free(&b.h);
}

/* A slow path, or a reader who does not read, makes no long queue of what
 * waits to be sent; and he has to keep no more than a window. */
static void what_is_not_sent_waits_with_the_writer(void **state)
{
	static const char block[BLOCK_BYTES];
	bool full = false, was_full;
	size_t wrote = 0, before;
	struct libhd_stream *s;
	struct end a, b;
	ssize_t n;

	(void)state;
	pair_make(&a, &b, true);
	s = opened(&a, &b);
	do {
		before = wrote;
		was_full = full;
		while ((n = libhd_stream_write(s, block, sizeof(block))) > 0)
			wrote += (size_t)n;
		assert_in_range(s->out.to - s->sent, 0, 1u << 20);
		for (unsigned i = 0; i < 20; i++) {
			carry(&a, &b);
			carry(&b, &a);
		}
		full = b.got->in.to >= 4u << 20;
	} while (wrote > before || !was_full);
	assert_int_equal(b.got->in.to, 4u << 20);
	assert_int_equal(wrote + 1, 5u << 20);
	libhd_stream_close(&s);
	libhd_stream_close(&b.got);
	libhd_free(&a.h);
	libhd_free(&b.h);
}

/* Two ends; a stream of a's, which b has as b->got, and whose byte has come. */
static struct libhd_stream *quiet(struct end *a, struct end *b)
{
	struct libhd_stream *s;

	pair_make(a, b, true);
	s = opened(a, b);
	TURN_UNTIL(a, b, libhd_stream_unsent_bytes(s) == 0);
	return s;
}

/* What it sends, which is lost on the way or not; nothing comes back. */
static void leave(struct end *from, struct end *to, bool lost)
{
	hdl_streams_run(from->h);
	if (!lost && from->h->out.n > 0)
		assert_int_equal(hdl_frames(to->h, hdl_buf_front(&from->h->out),
					    from->h->out.n),
				 from->h->out.n);
	hdl_buf_free(&from->h->out);
}

/* The end is sent behind the bytes; they are lost, or it is, or both. */
static void all_has_arrived_when_the_end_has(void **state)
{
	enum { BYTES = 1, END = 2 };

	(void)state;
	for (unsigned lost = BYTES; lost <= (BYTES | END); lost++) {
		struct end a, b;
		struct libhd_stream *s = quiet(&a, &b), *t = b.got;

		assert_int_equal(libhd_stream_write(s, "some", 4), 4);
		while (s->sent < 5)
			leave(&a, &b, lost & BYTES);
		libhd_stream_end(s);
		while (!s->end_sent)
			leave(&a, &b, lost & END);
		TURN_UNTIL(&a, &b, libhd_stream_unsent_bytes(s) == 0);
		assert_true(t->eof);
		assert_int_equal(drain(t), 5);
		libhd_stream_close(&s);
		libhd_stream_close(&t);
		libhd_free(&a.h);
		libhd_free(&b.h);
	}
}

/* As if it were time to look whether they are quiet. */
static void rest(struct end *a, struct end *b)
{
	a->h->tls->rest_ms = b->h->tls->rest_ms = 1;
	carry(a, b);
	carry(b, a);
}

static void busy(struct end *a, struct end *b, struct libhd_stream *s)
{
	static const char block[BLOCK_BYTES];
	uint64_t to = b->got->in.to + sizeof(block);

	assert_int_equal(libhd_stream_write(s, block, sizeof(block)),
			 sizeof(block));
	TURN_UNTIL(a, b, b->got->in.to == to);
	assert_int_equal(drain(b->got), sizeof(block));
	carry(b, a); /* its time begins, if it has not */
}

static void a_quiet_stream_has_no_memory(void **state)
{
	struct end a, b;
	struct libhd_stream *s = quiet(&a, &b), *t = b.got;

	(void)state;
	assert_non_null(s->out.chunks);
	assert_in_range(hdl_streams_timeout_ms(a.h), 0, 2000);
	rest(&a, &b);
	assert_null(s->out.chunks);
	assert_non_null(t->in.chunks); /* not read yet */
	assert_int_equal(drain(t), 1);
	rest(&a, &b);
	assert_null(t->in.chunks);
	assert_int_equal(libhd_stream_write(s, "again", 5), 5);
	TURN_UNTIL(&a, &b, t->in.to == 6);
	assert_int_equal(drain(t), 5);
	assert_non_null(t->in.chunks); /* it is not time yet */
	rest(&a, &b);
	assert_null(t->in.chunks);
	for (unsigned i = 0; i < 2; i++)
		busy(&a, &b, s);
	rest(&a, &b);
	assert_non_null(t->in.chunks);
	libhd_stream_close(&s);
	libhd_stream_close(&t);
	libhd_free(&a.h);
	libhd_free(&b.h);
}

/* ---- somebody else's key ---- */

/* A relay leads a, who wants b, to c. */
static void a_listener_with_another_key_is_refused(void **state)
{
	struct libhd_stream *s;
	struct end a, c, b = { 0 };

	(void)state;
	memset(&a, 0, sizeof(a));
	memset(&c, 0, sizeof(c));
	end_make(&a, 1, false);
	end_make(&b, 2, true);
	end_make(&c, 3, true);
	contact(&a, &b);
	contact(&c, &a);
	assert_int_equal(libhd_stream_open(a.other, &s), 0);
	assert_int_equal(libhd_stream_write(s, "secret", 6), 6);
	TURN_UNTIL(&a, &c, s->error != 0);
	assert_int_equal(s->error, -ECONNREFUSED);
	assert_null(c.got);
	libhd_stream_close(&s);
	libhd_free(&a.h);
	libhd_free(&b.h);
	libhd_free(&c.h);
}

/* A relay tells b that a's packets are those of d, whom b allows. */
static void a_dialler_with_another_key_is_refused(void **state)
{
	struct end a, b, d = { 0 };
	struct libhd_stream *s;

	(void)state;
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	end_make(&a, 1, false);
	end_make(&b, 2, true);
	end_make(&d, 4, true);
	contact(&a, &b);
	contact(&b, &d);
	assert_int_equal(libhd_stream_open(a.other, &s), 0);
	assert_int_equal(libhd_stream_write(s, "let me in", 9), 9);
	TURN_UNTIL(&a, &b, s->error != 0);
	assert_int_equal(s->error, -ECONNREFUSED);
	assert_null(b.got);
	libhd_stream_close(&s);
	libhd_free(&a.h);
	libhd_free(&b.h);
	libhd_free(&d.h);
}

/* Of whom only the address is known, either of its two keys will do, and no
 * other one. */
static void a_peer_by_its_address_proves_its_key(void **state)
{
	struct libhd_stream *s;
	struct end a, b;

	(void)state;
	for (unsigned other = 0; other < 2; other++) {
		pair_make(&a, &b, true);
		a.other->has_identity = b.other->has_identity = false;
		memset(&a.other->identity, 0, sizeof(a.other->identity));
		a.other->address.v[0] ^= (uint8_t)other;
		assert_int_equal(libhd_stream_open(a.other, &s), 0);
		assert_int_equal(libhd_stream_write(s, "x", 1), 1);
		if (other != 0) {
			TURN_UNTIL(&a, &b, s->error != 0);
			assert_int_equal(s->error, -ECONNREFUSED);
			assert_null(libhd_peer_key(a.other));
		} else {
			TURN_UNTIL(&a, &b, b.got != NULL);
			assert_memory_equal(libhd_peer_key(a.other), &b.h->id,
					    LIBHD_KEY_BYTES);
			assert_memory_equal(libhd_peer_key(b.other), &a.h->id,
					    LIBHD_KEY_BYTES);
		}
		a.other->address.v[0] ^= (uint8_t)other;
		libhd_stream_close(&s);
		libhd_free(&a.h);
		libhd_free(&b.h);
	}
}

/* ---- what nobody here knows ---- */

/* RFC 9000, 10.3.3: shorter than what it answers, or two would go on. */
static void a_reset_is_shorter_than_what_it_answers(void **state)
{
	uint8_t packet[64] = { 0x40 };
	struct end a, b;

	(void)state;
	pair_make(&a, &b, true);
	for (size_t n = 21; n <= sizeof(packet); n++) {
		size_t answer = n > 32 ? HDP_PACKET_FRAME_HEAD_BYTES + 32 : 0;

		hdl_streams_packet(b.other, packet, n);
		assert_int_equal(b.h->out.n, answer);
		hdl_buf_free(&b.h->out);
	}
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
		cmocka_unit_test(what_is_not_sent_waits_with_the_writer),
		cmocka_unit_test(all_has_arrived_when_the_end_has),
		cmocka_unit_test(a_quiet_stream_has_no_memory),
		cmocka_unit_test(a_listener_with_another_key_is_refused),
		cmocka_unit_test(a_dialler_with_another_key_is_refused),
		cmocka_unit_test(a_peer_by_its_address_proves_its_key),
		cmocka_unit_test(a_reset_is_shorter_than_what_it_answers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
