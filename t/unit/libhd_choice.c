/* SPDX-License-Identifier: MIT */
/* t/unit/libhd_choice.c - when packets go by TCP although UDP answers: the
 * numbers are made here, and so is the time. */
#include "libhd/udp_choice.h"
#include "t/unit/unit.h"

enum { PING_MS = 200, PACKET_BYTES = 1000 };

struct line { /* that is being watched */
	struct hdl_choice c;
	struct hdl_seen seen;
	int64_t now_ms;
};

/* So many packets in a tenth of a second, of which some arrive. */
static void passes(struct line *l, unsigned sent, unsigned got)
{
	l->seen.out_sent += sent;
	l->seen.out_got += got;
	l->seen.bytes_out += (uint64_t)sent * PACKET_BYTES;
}

/* UDP, until packets are to go by TCP, or for so long. Returns for how long. */
static int64_t by_udp(struct line *l, unsigned sent, unsigned got, int64_t rtt,
		      int64_t tcp_rtt, int64_t for_ms)
{
	int64_t until = l->now_ms + for_ms, r = 0;

	while (r == 0 && l->now_ms < until) {
		passes(l, sent, got);
		r = hdl_choice_udp(&l->c, &l->seen, rtt, tcp_rtt, l->now_ms);
		l->now_ms += PING_MS;
	}
	return r;
}

/* The trial: TCP carries so many packets a window. Returns as
 * hdl_choice_tcp(). */
static int64_t tried(struct line *l, int64_t begin_ms, unsigned packets)
{
	l->now_ms += begin_ms;
	l->now_ms += hdl_choice_tcp(&l->c, &l->seen, l->now_ms);
	l->seen.bytes_out += (uint64_t)packets * PACKET_BYTES;
	return hdl_choice_tcp(&l->c, &l->seen, l->now_ms);
}

static void what_is_good_stays(void **state)
{
	struct line l = { .now_ms = 5 };

	(void)state;
	assert_int_equal(by_udp(&l, 100, 97, 40, 40, 600000), 0);
	assert_int_equal(by_udp(&l, 100, 100, 80, 40, 600000), 0);
	assert_int_equal(by_udp(&l, 100, 100, 400, -1, 600000), 0);
	assert_int_equal(by_udp(&l, 1, 0, 40, 40, 600000), 0); /* too few */
}

static void loss_makes_a_trial(void **state)
{
	struct line l = { .now_ms = 5 };
	int64_t begin;

	(void)state;
	begin = by_udp(&l, 100, 60, 40, 40, 3000);
	assert_true(begin > 0 && begin <= 2000);
	assert_int_equal(tried(&l, begin, 10 * 100), 60000);
	assert_int_equal(l.c.is, HDL_CHOICE_TCP);
	l.now_ms += 60000;
	assert_int_equal(hdl_choice_tcp(&l.c, &l.seen, l.now_ms), 0);
	begin = by_udp(&l, 100, 60, 40, 40, 3000);
	assert_true(begin > 0);
	assert_int_equal(tried(&l, begin, 10 * 100), 120000);
}

/* Where TCP is no better: UDP, and no trial for a while. */
static void tcp_must_be_better(void **state)
{
	struct line l = { .now_ms = 5 };
	int64_t begin = by_udp(&l, 100, 60, 40, 40, 3000);

	(void)state;
	assert_true(begin > 0);
	assert_int_equal(tried(&l, begin, 10 * 60), 0);
	assert_int_equal(by_udp(&l, 100, 60, 40, 40, 58000), 0);
	assert_true(by_udp(&l, 100, 60, 40, 40, 6000) > 0);
}

/* Nothing passes in the trial: nothing speaks for TCP. */
static void silence_is_not_better(void **state)
{
	struct line l = { .now_ms = 5 };
	int64_t begin = by_udp(&l, 100, 0, 40, 40, 3000);

	(void)state;
	assert_true(begin > 0);
	assert_int_equal(tried(&l, begin, 0), 0);
}

static void loss_on_the_way_here_counts(void **state)
{
	struct line l = { .now_ms = 5 };
	int64_t r = 0;

	(void)state;
	while (r == 0 && l.now_ms < 5000) {
		l.seen.in_sent += 100;
		l.seen.in_got += 50;
		l.seen.bytes_in += 50 * PACKET_BYTES;
		r = hdl_choice_udp(&l.c, &l.seen, 40, 40, l.now_ms);
		l.now_ms += PING_MS;
	}
	assert_true(r > 0);
}

static void a_long_way_is_left_at_once(void **state)
{
	struct line l = { .now_ms = 5 };

	(void)state;
	assert_int_equal(by_udp(&l, 10, 10, 150, 40, 3000), 60000);
	assert_int_equal(l.c.is, HDL_CHOICE_TCP);
}

/* Answers are rare where little passes: one says nothing. */
static void a_few_answers_are_nothing(void **state)
{
	struct line l = { .now_ms = 5 };

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(by_udp(&l, 1, 1, 500, 1, 400), 0);
		l.now_ms += 5000;
	}
}

/* An answer that is late once is not a long way. */
static void one_late_answer_is_nothing(void **state)
{
	struct line l = { .now_ms = 5 };

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		assert_int_equal(by_udp(&l, 10, 10, 500, 40, 1000), 0);
		assert_int_equal(by_udp(&l, 10, 10, 41, 40, 800), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_good_stays),
		cmocka_unit_test(loss_makes_a_trial),
		cmocka_unit_test(tcp_must_be_better),
		cmocka_unit_test(silence_is_not_better),
		cmocka_unit_test(loss_on_the_way_here_counts),
		cmocka_unit_test(a_long_way_is_left_at_once),
		cmocka_unit_test(one_late_answer_is_nothing),
		cmocka_unit_test(a_few_answers_are_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
