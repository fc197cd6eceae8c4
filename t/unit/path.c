/* SPDX-License-Identifier: MIT */
/* t/unit/path.c - what is done for a connection, by what the kernel says of
 * its path. */
#include "core/net/path.h"
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "t/unit/unit.h"

#define MS 1000u
#define MIB (1024u * 1024u)

/* A path of 50 ms and 2.5 MB/s, and looks at it. */
struct test {
	struct hd_path path;
	struct hd_path_seen seen;
};

static struct test far_away(void)
{
	return (struct test){ .seen = { .rate = 2500000,
					.rtt_us = 51 * MS,
					.min_rtt_us = 50 * MS } };
}

/* Since the last look so much was sent, and so many packets again. */
static bool look(struct test *t, uint32_t bytes, uint32_t lost)
{
	t->seen.sent_bytes += bytes;
	t->seen.retransmits += lost;
	return hd_path_is_lossy(&t->path, &t->seen);
}

static void losses_without_a_queue(void **state)
{
	struct test t = far_away();

	(void)state;
	assert_false(look(&t, MIB, 1));
	assert_false(look(&t, MIB, 0));
	assert_false(look(&t, MIB, 200)); /* a burst is one */
	assert_false(look(&t, MIB, 0));
	assert_true(look(&t, MIB, 1));
}

static void few_losses_are_not_worth_it(void **state)
{
	struct test t = far_away();

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		assert_false(look(&t, 6 * MIB, 1)); /* 1 in 4,500 */
	/* what was long ago does not count */
	assert_false(look(&t, MIB, 1));
	assert_false(look(&t, MIB, 0));
	assert_false(look(&t, 4000 * MIB, 0));
	assert_false(look(&t, MIB, 1));
	assert_false(look(&t, MIB, 1));
	assert_true(look(&t, MIB, 1));
}

static void a_full_queue_loses_them(void **state)
{
	struct test t = far_away();

	(void)state;
	t.seen.rtt_us = 80 * MS;
	for (unsigned i = 0; i < 100; i++)
		assert_false(look(&t, MIB, 10));
	t.seen.rtt_us = 51 * MS; /* it has drained */
	assert_false(look(&t, MIB, 0));
	/* and those before it was full are forgotten */
	assert_false(look(&t, MIB, 1));
	assert_false(look(&t, MIB, 1));
	t.seen.rtt_us = 80 * MS;
	assert_false(look(&t, MIB, 1));
	t.seen.rtt_us = 51 * MS;
	assert_false(look(&t, MIB, 1));
	assert_false(look(&t, MIB, 1));
	assert_true(look(&t, MIB, 1));
}

static void near_is_left_alone(void **state)
{
	struct test t = far_away();

	(void)state;
	t.seen.rtt_us = t.seen.min_rtt_us = HD_PATH_FAR_US - 1;
	for (unsigned i = 0; i < 100; i++)
		assert_false(look(&t, MIB, 10));
	hd_path_measure(&t.path, &t.seen);
	assert_int_equal(t.path.room_bytes, 0);
	/* nothing has come back: the kernel does not know how far it is */
	t.seen.rtt_us = t.seen.min_rtt_us = UINT32_MAX;
	for (unsigned i = 0; i < 100; i++)
		assert_false(look(&t, MIB, 10));
	hd_path_measure(&t.path, &t.seen);
	assert_int_equal(t.path.room_bytes, 0);
}

static void room_for_what_the_path_holds(void **state)
{
	struct test t = far_away();

	(void)state;
	hd_path_measure(&t.path, &t.seen);
	assert_int_equal(t.path.room_bytes, 127500); /* 51 ms of 2.5 MB/s */
	t.path.keeps_rate = true; /* and of BBR's pauses */
	hd_path_measure(&t.path, &t.seen);
	assert_int_equal(t.path.room_bytes, 752500);
	t.seen.rate = 250000000;
	hd_path_measure(&t.path, &t.seen);
	assert_int_equal(t.path.room_bytes, HD_PATH_ROOM_BYTES);
}

static void room_goes_slowly(void **state)
{
	struct test t = far_away();

	(void)state;
	t.path.keeps_rate = true;
	hd_path_measure(&t.path, &t.seen);
	t.seen.rate = 0; /* not known */
	hd_path_measure(&t.path, &t.seen);
	assert_int_equal(t.path.room_bytes, 752500 - 752500 / 8);
	for (unsigned i = 0; i < 100; i++)
		hd_path_measure(&t.path, &t.seen);
	assert_true(t.path.room_bytes < 1000);
}

static void sockets_of_other_kinds(void **state)
{
	char name[HD_PATH_NAME_BYTES];
	struct hd_path_seen seen;
	int v[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, v), 0);
	assert_true(hd_path_see(v[0], &seen) < 0);
	assert_string_equal(hd_path_name(v[0], name), "");
	assert_false(hd_path_has_bbr(v[0]));
	assert_true(hd_path_set_bbr(v[0]) < 0);
	close(v[0]);
	close(v[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(losses_without_a_queue),
		cmocka_unit_test(few_losses_are_not_worth_it),
		cmocka_unit_test(a_full_queue_loses_them),
		cmocka_unit_test(near_is_left_alone),
		cmocka_unit_test(room_for_what_the_path_holds),
		cmocka_unit_test(room_goes_slowly),
		cmocka_unit_test(sockets_of_other_kinds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
