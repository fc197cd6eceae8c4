/* SPDX-License-Identifier: MIT */
/* t/unit/fanout.c - one packet to many keys, here and at another worker: each
 * gets it once, however long it is, and what does not fit is counted. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "t/unit/fake_relay.h"

enum { MANY = 600, LONG = 16384 };

static struct fake from, to[MANY];
static struct hd_key keys[MANY];
static uint8_t packet[HD_PACKET_MAX_BYTES] = "hi";

struct sending {
	size_t n;
	uint32_t len_bytes;
	unsigned times;
	bool urgent;
};

static void send_here(struct hd_worker *w, void *sending, void *unused)
{
	const struct sending *x = sending;

	(void)w, (void)unused;
	for (unsigned i = 0; i < x->times; i++)
		hd_relay_send_all(&from.p, keys, x->n, x->urgent, packet,
				  x->len_bytes);
}

static void send_all(size_t n, uint32_t len_bytes, unsigned times, bool urgent)
{
	struct sending x = { n, len_bytes, times, urgent };

	in_worker(from.s.worker, send_here, &x, NULL);
}

/* The sender is in worker 0, the others where home() says. */
static void begin(size_t n, unsigned (*home)(size_t i))
{
	struct hd_key key = key_of(0);

	peer_make(&from, &key, REALM);
	peer_up(&from);
	for (size_t i = 0; i < n; i++) {
		keys[i] = key_of(home(i));
		peer_make(&to[i], &keys[i], REALM);
		peer_up(&to[i]);
	}
}

static void end(size_t n)
{
	for (size_t i = 0; i < n; i++)
		peer_down(&to[i]);
	peer_down(&from);
}

static uint64_t got_of(size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += to[i].got;
	return sum;
}

static unsigned both(size_t i)
{
	return i % 2;
}

static unsigned other(size_t i)
{
	(void)i;
	return 1;
}

/* ---- tests ---- */

/* More than a record takes; and whoever got it is told of the end, once. */
static void each_gets_it_once(void **state)
{
	(void)state;
	begin(MANY, both);
	send_all(MANY, 2, 1, false);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(to[i].got, 1);
	send_all(MANY, 2, 1, false); /* they are known by now */
	assert_int_equal(got_of(MANY), 2 * MANY);
	peer_down(&from);
	settle();
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(to[i].gone, 1);
	peer_up(&from);
	end(MANY);
}

/* Sixteen times what the ring holds, if each had a copy of its own. */
static void a_long_one_reaches_all(void **state)
{
	uint64_t before = drops_of(HD_DROP_XFER_FULL);

	(void)state;
	begin(256, other);
	send_all(256, LONG, 4, false);
	assert_int_equal(got_of(256), 4 * 256);
	assert_int_equal(drops_of(HD_DROP_XFER_FULL), before);
	end(256);
}

/* In one turn, so that nobody empties it meanwhile. */
static void what_does_not_fit_is_counted(void **state)
{
	uint64_t before = drops_of(HD_DROP_XFER_FULL), dropped;

	(void)state;
	begin(10, other);
	send_all(10, HD_PACKET_MAX_BYTES, 6, false);
	dropped = drops_of(HD_DROP_XFER_FULL) - before;
	assert_int_equal(dropped % 10, 0);
	assert_in_range(dropped, 10, 50);
	assert_int_equal(got_of(10) + dropped, 60);
	end(10);
}

static void nobody_has_one_of_the_keys(void **state)
{
	uint64_t before = drops_of(HD_DROP_UNKNOWN_DEST);

	(void)state;
	begin(6, both);
	peer_down(&to[2]);
	peer_down(&to[3]);
	send_all(6, 2, 1, false);
	assert_int_equal(got_of(6), 4);
	assert_int_equal(drops_of(HD_DROP_UNKNOWN_DEST), before + 2);
	assert_int_equal(from.not_here, 0);
	send_all(6, 2, 1, true);
	assert_int_equal(got_of(6), 8);
	assert_int_equal(from.not_here, 2); /* from here and from there */
	peer_up(&to[2]);
	peer_up(&to[3]);
	end(6);
}

static void to_nobody(void **state)
{
	(void)state;
	begin(0, both);
	send_all(0, 2, 1, false);
	end(0);
}

static void who_has_left_sends_nothing(void **state)
{
	(void)state;
	begin(4, both);
	peer_down(&from);
	send_all(4, 2, 1, false);
	assert_int_equal(got_of(4), 0);
	peer_up(&from);
	end(4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_gets_it_once),
		cmocka_unit_test(a_long_one_reaches_all),
		cmocka_unit_test(what_does_not_fit_is_counted),
		cmocka_unit_test(nobody_has_one_of_the_keys),
		cmocka_unit_test(to_nobody),
		cmocka_unit_test(who_has_left_sends_nothing),
	};

	return sodium_init() < 0 ? 1
				 : cmocka_run_group_tests(tests, relay_start,
							  relay_stop);
}
