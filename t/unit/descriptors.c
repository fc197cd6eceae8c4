/* SPDX-License-Identifier: MIT */
/* t/unit/descriptors.c - who may open one when few are left. */
#include "t/unit/unit.h"
#include <pthread.h>
#include <sys/resource.h>
#include "core/base/descriptors.h"

static unsigned sum(const struct hd_fds_plan *p)
{
	unsigned n = p->pool + p->rest;

	for (unsigned i = 0; i < HD_FDS_N; i++)
		n += p->own[i];
	return n;
}

static void nothing_is_given_twice(void **state)
{
	static const uint64_t limits[] = { 1,	 30,	31,	40,
					   64,	 128,	256,	1024,
					   65536, 1048576, UINT64_MAX };
	struct hd_fds_plan p;

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(limits); i++) {
		uint64_t left = limits[i] > 30 ? limits[i] - 30 : 0;

		hd_fds_plan(limits[i], 30, 2, &p);
		assert_int_equal(sum(&p), HD_MIN(left, INT32_MAX));
		assert_true(p.pool >= left / 2 || p.pool > INT32_MAX / 2);
		assert_int_equal(p.own[HD_FDS_PUBLIC], 0);
	}
}

static void small_limits_are_shared_too(void **state)
{
	struct hd_fds_plan p;

	(void)state;
	hd_fds_plan(128, 32, 2, &p); /* 48 for clients and 48 for the others */
	assert_true(p.own[HD_FDS_OPERATOR] >= 6);
	assert_true(p.own[HD_FDS_NAMED] >= 8);
	assert_true(p.rest >= 20);
	hd_fds_plan(1048576, 32, 2, &p);
	assert_int_equal(p.rest, 24 + 2 * 8);
	assert_int_equal(p.own[HD_FDS_OPERATOR], 12);
	assert_int_equal(p.own[HD_FDS_READER], 4);
	assert_int_equal(p.own[HD_FDS_NAMED], 16);
}

static unsigned take_all(enum hd_fds who)
{
	unsigned n = 0;

	while (hd_fds_take(who))
		n++;
	return n;
}

static void give(enum hd_fds who, unsigned n)
{
	while (n-- > 0)
		hd_fds_give(who);
}

static void each_has_its_own(void **state)
{
	struct rlimit limit = { 256, 256 };
	unsigned clients, operators, named;

	(void)state;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	hd_fds_begin(1);
	clients = take_all(HD_FDS_PUBLIC);
	assert_true(clients > 100 && clients < 200);
	operators = take_all(HD_FDS_OPERATOR);
	assert_int_equal(operators, 12);
	assert_int_equal(take_all(HD_FDS_READER), 4);
	named = take_all(HD_FDS_NAMED);
	assert_int_equal(named, 16);
	assert_false(hd_fds_take(HD_FDS_PUBLIC));
	/* what clients make modules dial leaves something for mesh links */
	assert_false(hd_fds_take(HD_FDS_ONWARD));
	assert_int_equal(take_all(HD_FDS_DIALLED), 16);
	give(HD_FDS_DIALLED, 16);
	/* who has more than its own gives to all */
	give(HD_FDS_PUBLIC, 10);
	assert_int_equal(take_all(HD_FDS_NAMED), 10);
	give(HD_FDS_OPERATOR, operators);
	assert_false(hd_fds_take(HD_FDS_PUBLIC));
	give(HD_FDS_NAMED, 10);
	assert_int_equal(take_all(HD_FDS_PUBLIC), 10);
	give(HD_FDS_NAMED, named);
	assert_false(hd_fds_take(HD_FDS_PUBLIC));
	give(HD_FDS_PUBLIC, clients);
	assert_int_equal(take_all(HD_FDS_PUBLIC), clients);
}

/* Of one of its own, and of one too many that is refused. */
static void *takes_and_gives(void *unused)
{
	for (unsigned i = 0; i < 3000000; i++)
		if (hd_fds_take(HD_FDS_NAMED))
			hd_fds_give(HD_FDS_NAMED);
	return unused;
}

static void refusals_at_the_edge_add_nothing(void **state)
{
	unsigned clients = take_all(HD_FDS_PUBLIC);
	unsigned named = take_all(HD_FDS_NAMED);
	pthread_t other[3];

	(void)state;
	give(HD_FDS_NAMED, 1);
	for (size_t i = 0; i < HD_ARRAY_N(other); i++)
		assert_int_equal(pthread_create(&other[i], NULL,
						takes_and_gives, NULL), 0);
	takes_and_gives(NULL);
	for (size_t i = 0; i < HD_ARRAY_N(other); i++)
		pthread_join(other[i], NULL);
	assert_int_equal(take_all(HD_FDS_NAMED), 1);
	assert_int_equal(take_all(HD_FDS_PUBLIC), 0);
	give(HD_FDS_NAMED, named);
	give(HD_FDS_PUBLIC, clients);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_given_twice),
		cmocka_unit_test(small_limits_are_shared_too),
		cmocka_unit_test(each_has_its_own),
		cmocka_unit_test(refusals_at_the_edge_add_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
