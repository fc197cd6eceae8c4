/* SPDX-License-Identifier: MIT */
/* t/unit/wg_roam.c - clients that move: what they get at the new place, and
 * what ends it (doc/internals/wireguard.md, "A client that moves"). */
#include "t/unit/unit.h"
#include "t/unit/wg_net.h"

static union hd_addr elsewhere;

static int setup(void **state)
{
	(void)state;
	net_pair(3);
	elsewhere = net_addr(9, 9000);
	net_tunnel(1, &a_at, 2, &b_at, 10);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_true(net_out() <= net.bytes_in);
	net_stop();
	return 0;
}

/* However long the old one is silent: it may be somebody else's. */
static uint32_t flood(unsigned from, unsigned n)
{
	uint32_t got = 0;

	for (unsigned i = from; i < from + n; i++) {
		net_data(&b_at, 10, i, 1400); /* to both, if it may */
		assert_int_equal(net_to(&a_at)->len, 1400);
		got += net_to(&elsewhere) != NULL ? 1400 : 0;
	}
	return got;
}

/* Three times in the first second, a hundred times when the old address has had
 * answers and said nothing; nothing is taken from it. */
static void a_new_address_gets_three_times_what_it_sent(void **state)
{
	uint32_t got = 0;

	(void)state;
	for (unsigned i = 1; i <= 10; i++) {
		net_data(&elsewhere, 11, i, 500);
		assert_int_equal(net_to(&b_at)->len, 500);
		got += flood(i * 10, 10);
		net_pass(99);
	}
	assert_true(got > 2 * 10 * 500 && got <= 3 * 10 * 500);
	net_data(&a_at, 11, 100, 64); /* back again */
	assert_int_equal(flood(200, 10), 0);
}

/* Nobody answers a keepalive: it does not begin the second. */
static void a_keepalive_asks_nobody(void **state)
{
	(void)state;
	net_data(&elsewhere, 11, 1, 100);
	net_data(&b_at, 10, 1, WG_DATA_MIN_BYTES);
	net_pass(1000);
	assert_int_equal(flood(20, 10), 0);
	net_pass(1000);
	assert_int_equal(flood(40, 1), 1400);
}

/* Whatever it sent before counts: a receiver has nothing to say until it gets
 * something. */
static void who_has_left_gets_a_hundred_times_what_it_sent(void **state)
{
	uint32_t got;

	(void)state;
	net_data(&elsewhere, 11, 1, 100);
	assert_int_equal(flood(1, 10), 0);
	net_pass(1000);
	got = flood(20, 100);
	assert_true(got > 80 * 100 && got <= 100 * 100);
	net_data(&elsewhere, 11, 2, 100);
	got += flood(200, 100);
	assert_true(got > 180 * 100 && got <= 200 * 100);
	net_data(&a_at, 11, 100, 64); /* was there all the time */
	assert_int_equal(flood(300, 10), 0);
	net_data(&elsewhere, 11, 3, 100);
	assert_int_equal(flood(400, 10), 0);
}

/* Who is asked for a handshake gets it where it may be, too. */
static void a_handshake_finds_who_has_moved(void **state)
{
	(void)state;
	net_pass(31000); /* what bob asked before the tunnel is forgotten */
	net_data(&a_at, 11, 1, 64);
	net_data(&elsewhere, 11, 2, 64);
	net_init(&b_at, 1, 60);
	assert_int_equal(net_to(&a_at)->len, WG_INIT_BYTES);
	assert_int_equal(net_to(&elsewhere)->len, WG_INIT_BYTES);
	net_response(&elsewhere, 2, 61, 60);
	assert_int_equal(net_to(&b_at)->len, WG_RESPONSE_BYTES);
	net_data(&b_at, 61, 0, 64);
	assert_int_equal(net_to(&elsewhere)->len, 64);
}

/* She spoke at the old place just now, so that her endpoint is there still: at
 * the new one she is reached at once, by data and by who begins a handshake. */
static void who_has_just_left_is_reached_at_once(void **state)
{
	(void)state;
	net_data(&a_at, 11, 1, 64);
	net_pass(100);
	net_rekey(1, &elsewhere, 2, &b_at, 60);
	for (unsigned i = 1; i < 10; i++, net_pass(1000)) {
		net_data(&b_at, 60, i, 64);
		assert_non_null(net_to(&elsewhere));
		assert_true(net_at(1, &a_at));
	}
	net_init(&b_at, 1, 70);
	assert_non_null(net_to(&elsewhere));
	assert_int_equal(net_to(&elsewhere)->len, WG_INIT_BYTES);
	net_data(&elsewhere, 61, 1, 64);
	net_pass(12000);
	net_data(&elsewhere, 61, 2, 64);
	net_data(&b_at, 60, 20, 64);
	net_pass(1000);
	assert_true(net_at(1, &elsewhere));
}

/* Her own data looks seen before, when somebody has made up a higher counter at
 * her old address: she is silent until her handshake, 15 s later. */
static void a_forged_counter_and_a_move(void **state)
{
	(void)state;
	net_data(&a_at, 11, 5, 64);
	net_data(&a_at, 11, 1000, 64); /* forged */
	for (unsigned i = 6; i < 20; i++, net_pass(1000)) {
		net_data(&elsewhere, 11, i, 64);
		assert_int_equal(net.n_sent, 0);
		net_data(&b_at, 10, i, 64);
		assert_null(net_to(&elsewhere));
		assert_non_null(net_to(&a_at));
	}
	net_init(&elsewhere, 2, 60);
	assert_int_equal(net_to(&b_at)->len, WG_INIT_BYTES);
	net_response(&b_at, 1, 61, 60);
	net_data(&elsewhere, 61, 0, 64);
	assert_int_equal(net_to(&b_at)->len, 64);
	net_data(&b_at, 60, 0, 64);
	assert_int_equal(net_to(&elsewhere)->len, 64);
}

/* Somebody speaks in her name at the old place: a second without copies, each
 * time. */
static void who_is_led_back_is_silent_for_a_second(void **state)
{
	unsigned lost = 0;

	(void)state;
	net_data(&a_at, 11, 1, 64);
	for (unsigned i = 10; i < 40; i++, net_pass(100)) {
		if (i == 20)
			net_data(&a_at, 11, 2, 64); /* forged */
		net_data(&elsewhere, 11, i, 64);
		assert_non_null(net_to(&b_at));
		net_data(&b_at, 10, i, 64);
		lost += net_to(&elsewhere) == NULL;
	}
	assert_in_range(lost, 1, 10);
}

/* Idle for more than 5 s: her handshake alone shows where she is. */
static void who_was_idle_begins_a_handshake(void **state)
{
	(void)state;
	net_data(&a_at, 11, 1, 64);
	net_pass(6000);
	for (unsigned i = 2; i < 15; i++, net_pass(1000)) {
		net_data(&elsewhere, 11, i, 64);
		assert_non_null(net_to(&b_at)); /* who judges it */
		net_data(&b_at, 10, i, 64);
		assert_null(net_to(&elsewhere));
	}
	net_init(&elsewhere, 2, 60);
	assert_int_equal(net_to(&b_at)->len, WG_INIT_BYTES);
	net_response(&b_at, 1, 61, 60);
	assert_int_equal(net_to(&elsewhere)->len, WG_RESPONSE_BYTES);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_new_address_gets_three_times_what_it_sent),
		T(a_keepalive_asks_nobody),
		T(who_has_left_gets_a_hundred_times_what_it_sent),
		T(a_handshake_finds_who_has_moved),
		T(who_has_just_left_is_reached_at_once),
		T(a_forged_counter_and_a_move),
		T(who_is_led_back_is_silent_for_a_second),
		T(who_was_idle_begins_a_handshake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
