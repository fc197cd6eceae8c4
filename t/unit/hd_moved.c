/* SPDX-License-Identifier: MIT */
/* t/unit/hd_moved.c - ids of another process are found until their client has
 * ended, by all workers, and made by all of them at once. */
#include <errno.h>
#include <pthread.h>
#include "modules/hd/moved.h"
#include "t/unit/unit.h"

enum { EACH = 1000, THREADS = 4, IDS = EACH * THREADS };

static void none_has_none(void **state)
{
	uint32_t place = 7;

	(void)state;
	assert_false(hdp_moved_find(NULL, 1, &place));
	assert_int_equal(place, 7);
	hdp_moved_drop(NULL);
}

static void an_id_is_found_until_it_ends(void **state)
{
	struct hdp_moved *m = hdp_moved_new(2);
	uint32_t place = 0;

	(void)state;
	assert_int_equal(hdp_moved_add(m, 0, 0x01000003), 0);
	assert_int_equal(hdp_moved_add(m, 0x02000000, 0), 0);
	assert_int_equal(hdp_moved_add(m, 0, 5), -EEXIST);
	assert_true(hdp_moved_find(m, 0, &place));
	assert_int_equal(place, 0x01000003);
	assert_true(hdp_moved_find(m, 0x02000000, &place));
	assert_int_equal(place, 0);
	assert_false(hdp_moved_find(m, 1, &place));
	hdp_moved_remove(m, 0);
	hdp_moved_remove(m, 77);
	assert_false(hdp_moved_find(m, 0, &place));
	assert_true(hdp_moved_find(m, 0x02000000, &place));
	hdp_moved_drop(m);
}

static void it_is_full_in_the_end(void **state)
{
	struct hdp_moved *m = hdp_moved_new(1);
	uint32_t n = 0, place;

	(void)state;
	while (hdp_moved_add(m, n, n) == 0)
		n++;
	assert_int_equal(hdp_moved_add(m, n, n), -ENOSPC);
	assert_in_range(n, 1, 64);
	for (uint32_t i = 0; i < n; i++)
		assert_true(hdp_moved_find(m, i, &place) && place == i);
	assert_false(hdp_moved_find(m, n, &place));
	hdp_moved_drop(m);
}

struct adder {
	pthread_t thread;
	struct hdp_moved *m;
	uint32_t from;
};

static void *add_some(void *arg)
{
	struct adder *a = arg;

	for (uint32_t i = a->from; i < a->from + EACH; i++)
		if (hdp_moved_add(a->m, i, i + 1) != 0)
			return a;
	hdp_moved_drop(a->m);
	return NULL;
}

static void workers_add_at_once(void **state)
{
	struct hdp_moved *m = hdp_moved_new(IDS);
	struct adder a[THREADS];
	uint32_t place;
	void *bad;

	(void)state;
	for (unsigned i = 0; i < THREADS; i++) {
		a[i] = (struct adder){ .m = hdp_moved_hold(m),
				       .from = i * EACH };
		pthread_create(&a[i].thread, NULL, add_some, &a[i]);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(a[i].thread, &bad);
		assert_null(bad);
	}
	for (uint32_t i = 0; i < IDS; i++)
		assert_true(hdp_moved_find(m, i, &place) && place == i + 1);
	hdp_moved_drop(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none_has_none),
		cmocka_unit_test(an_id_is_found_until_it_ends),
		cmocka_unit_test(it_is_full_in_the_end),
		cmocka_unit_test(workers_add_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
