/* SPDX-License-Identifier: MIT */
/* t/unit/fair.c - pairs that send without end leave another pair of their
 * worker its packets: in turns, from the packet in the socket of who sends it
 * to the same in the socket of who gets it. And who reads what it is sent loses
 * none. Also where hot ones fill the ring to another worker. */
#include "t/unit/unit.h"

#include <sodium.h>
#include "t/unit/hot_pairs.h"

/* ---- in one worker ---- */

/* A turn has two reads for those that always have 64 KiB, in order, and who
 * comes stands behind all of them. */
static void a_packet_waits_for_one_round(unsigned pairs)
{
	const struct hot_args args = {
		.pairs = pairs, .workers = 1, .lane = HD_LANE_BULK
	};
	struct hot_result r;

	hot_run(&args, &r);
	assert_in_range(r.longest, 0, pairs / 2);
}

static void beside_one(void **state)
{
	(void)state;
	a_packet_waits_for_one_round(1);
}

static void beside_many(void **state)
{
	(void)state;
	a_packet_waits_for_one_round(HOT_MAX);
}

/* Those that send without end get the same, too. */
static void the_hot_ones_get_the_same(void **state)
{
	const struct hot_args args = {
		.pairs = HOT_MAX, .workers = 1, .lane = HD_LANE_BULK
	};
	struct hot_result r;

	(void)state;
	hot_run(&args, &r);
	assert_in_range(r.least_bytes, 1, r.most_bytes);
	assert_in_range(r.most_bytes - r.least_bytes, 0, r.most_bytes / 10);
}

/* ---- the ring between two workers ---- */

/* The hot ones fill it: whose turn it is there is the machine's matter, but
 * nothing is lost. */
static void beside_those_that_cross(void **state)
{
	const struct hot_args args = {
		.pairs = 4, .workers = 2, .lane = HD_LANE_BULK
	};
	struct hot_result r;

	(void)state;
	hot_run(&args, &r);
	assert_int_equal(r.xfer_drops + r.n_astray, 0);
}

/* Only who feeds a ring that is full waits for it; and then goes on, and has
 * lost nothing. */
static void others_do_not_wait_for_a_full_ring(unsigned pairs, bool halves)
{
	const struct hot_args args = {
		.pairs = pairs,
		.workers = 2,
		.lane = HD_LANE_BULK,
		.held_bytes = 1 << 20,
		.halves = halves,
	};
	struct hot_result r;

	hot_run(&args, &r);
	assert_true(r.held);
	assert_in_range(r.longest, 0, pairs);
	assert_int_equal(r.xfer_drops + r.n_astray + r.n_slow, 0);
}

static void beside_one_that_fills_a_ring(void **state)
{
	(void)state;
	others_do_not_wait_for_a_full_ring(1, false);
}

static void beside_many_that_fill_a_ring(void **state)
{
	(void)state;
	others_do_not_wait_for_a_full_ring(HOT_MAX, false);
}

/* Half of a packet goes nowhere: who has sent one feeds what it has fed before.
 */
static void beside_many_of_whom_the_last_read_brought_none(void **state)
{
	(void)state;
	others_do_not_wait_for_a_full_ring(HOT_MAX, true);
}

/* ---- what is lost ---- */

/* More waits in the socket of who sends than a turn reads, and the other one's
 * takes all of it. */
static void who_reads_loses_nothing(unsigned pairs, enum hd_lane lane,
				    uint64_t others_bytes)
{
	const struct hot_args args = {
		.pairs = pairs,
		.workers = 1,
		.lane = lane,
		.deep = true,
		.others_bytes = others_bytes,
	};
	struct hot_result r;

	hot_run(&args, &r);
	assert_int_equal(r.queue_drops + r.n_slow, 0);
}

static void one_that_reads_loses_nothing(void **state)
{
	(void)state;
	who_reads_loses_nothing(1, HD_LANE_BULK, 0);
}

static void of_many_that_read_none_loses_any(void **state)
{
	(void)state;
	who_reads_loses_nothing(HOT_MAX, HD_LANE_BULK, 0);
}

/* They have all of it: core/stream/stream_lane.c. */
static void beside_those_that_do_not_read(void **state)
{
	(void)state;
	who_reads_loses_nothing(1, HD_LANE_BULK, 64 << 20);
	who_reads_loses_nothing(HOT_MAX, HD_LANE_BULK, 64 << 20);
}

static void nor_is_closed_for_answers_to_many_at_once(void **state)
{
	(void)state;
	who_reads_loses_nothing(1, HD_LANE_CONTROL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(beside_one),
		cmocka_unit_test(beside_many),
		cmocka_unit_test(the_hot_ones_get_the_same),
		cmocka_unit_test(beside_those_that_cross),
		cmocka_unit_test(beside_one_that_fills_a_ring),
		cmocka_unit_test(beside_many_that_fill_a_ring),
		cmocka_unit_test(
			beside_many_of_whom_the_last_read_brought_none),
		cmocka_unit_test(one_that_reads_loses_nothing),
		cmocka_unit_test(of_many_that_read_none_loses_any),
		cmocka_unit_test(beside_those_that_do_not_read),
		cmocka_unit_test(nor_is_closed_for_answers_to_many_at_once),
	};

	return sodium_init() < 0
		       ? 1
		       : cmocka_run_group_tests(tests, NULL, NULL);
}
