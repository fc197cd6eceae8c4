/* SPDX-License-Identifier: MIT */
/* t/unit/presence.c - who watches learns the last state of every key, however
 * slowly it reads. */
#include "t/unit/presence_help.h"
#include <sodium.h>
#include <time.h>
#include <unistd.h>

/* ---- tests ---- */

static bool all_present(void)
{
	for (unsigned i = 0; i < KEYS; i++)
		if (!keys[i].present)
			return false;
	return true;
}

static void all_come(void)
{
	for (uint32_t i = 0; i < KEYS; i++) {
		make(&keys[i], i, WATCHED);
		post(&keys[i], up);
	}
	make(&stranger, KEYS, OTHER);
	post(&stranger, up);
	hd_workers_quiesce();
}

static void who_is_here_is_told(void **state)
{
	(void)state;
	all_come();
	begin_watching();
	assert_true(hd_stream_is_open(watcher));
	read_until(all_present);
	assert_int_equal(frames(), KEYS);
}

/* It reads nothing meanwhile: what is kept for it does not grow. */
static void flaps_are_merged(void **state)
{
	(void)state;
	for (unsigned n = 0; n < FLAPS; n++)
		for (unsigned i = 0; i < KEYS; i += 10) {
			post(&keys[i], down);
			post(&keys[i], up);
		}
	hd_workers_quiesce();
	for (unsigned i = 0; i < KEYS; i += 2)
		post(&keys[i], down);
	hd_workers_quiesce();
	assert_true(hd_stream_is_open(watcher));
	read_until(as_they_are);
	for (unsigned i = 0; i < KEYS; i++)
		assert_false(keys[i].wrong);
	/* What was under way when it stopped reading was told as it was. */
	assert_true(frames() < KEYS / 10 * FLAPS);
	assert_true(hd_stream_is_open(watcher));
}

/* Gone is owed before present. */
static void one_that_is_back_was_gone(void **state)
{
	struct fake *f = &keys[1];

	(void)state;
	frames();
	post(f, down);
	post(f, up);
	hd_workers_quiesce();
	f->present = false;
	read_until(as_they_are);
	assert_true(f->frames == 2 || f->frames == 1);
}

/* It asks once more while it reads slowly, and forgets nothing it was told. */
static void who_left_before_once_more_is_told(void **state)
{
	(void)state;
	frames();
	keys[1].wrong = false; /* of the test before */
	for (unsigned i = 1; i < KEYS; i += 2) { /* more than goes out */
		post(&keys[i], down);
		post(&keys[i], up);
	}
	hd_workers_quiesce();
	for (unsigned i = KEYS / 2 + 1; i < KEYS; i += 2)
		post(&keys[i], down);
	hd_workers_quiesce();
	begin_watching();
	read_until(as_they_are);
	for (unsigned i = 0; i < KEYS; i++)
		assert_false(keys[i].wrong);
	for (unsigned i = KEYS / 2 + 1; i < KEYS; i += 2)
		post(&keys[i], up);
	hd_workers_quiesce();
	read_until(as_they_are);
}

static void once_more_lists_all(void **state)
{
	(void)state;
	for (unsigned i = 0; i < KEYS; i++)
		keys[i].present = false;
	frames();
	begin_watching();
	read_until(as_they_are);
	assert_true(frames() >= KEYS / 2);
}

/* ---- more realms ---- */

static void watch_also(struct hd_worker *w, void *ret, void *unused)
{
	(void)w;
	(void)unused;
	*(int *)ret = hd_presence_watch_also(hd_peer_of(watcher), 1u << THIRD);
}

/* The last keys come again, in a realm that was not watched: every second one
 * in a tenant. */
static void more_realms_are_told_in_all_tenants(void **state)
{
	uint16_t tenant;

	(void)state;
	assert_int_equal(hd_tenant_hold("office", &tenant), 0);
	for (uint32_t i = KEYS - THIRD_KEYS; i < KEYS; i++)
		post(&keys[i], down);
	hd_workers_quiesce();
	read_until(as_they_are);
	for (uint32_t i = KEYS - THIRD_KEYS; i < KEYS; i++) {
		make(&keys[i], i, THIRD);
		keys[i].p.tenant = i % 2 ? tenant : 0;
		post(&keys[i], up);
	}
	frames();
	assert_int_equal(in_worker(watch_also), 0);
	read_until(as_they_are);
	assert_int_equal(frames(), THIRD_KEYS); /* and nobody twice */
	for (uint32_t i = KEYS - THIRD_KEYS; i < KEYS; i++)
		post(&keys[i], down);
	hd_workers_quiesce();
	read_until(as_they_are);
	hd_tenant_drop(tenant); /* what is told has held it */
}

static void count_feed(struct hd_worker *w, void *n, void *unused)
{
	(void)unused;
	if (w->relay->feeds != NULL)
		__atomic_add_fetch((unsigned *)n, 1, __ATOMIC_SEQ_CST);
}

static unsigned feeds(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < WORKERS; i++)
		hd_worker_post(hd_worker_at(i), count_feed, &n, NULL);
	hd_workers_quiesce();
	return n;
}

static void it_ends_with_the_watcher(void **state)
{
	(void)state;
	assert_int_equal(feeds(), WORKERS);
	close(far_fd); /* as the slowest of all would leave */
	for (int i = 0; i < 60000 && feeds() > 0; i++) {
		post(&keys[1], down);
		post(&keys[1], up);
		hd_workers_quiesce();
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	assert_int_equal(feeds(), 0);
}

static void all_leave(void **state)
{
	(void)state;
	for (unsigned i = 0; i < KEYS; i++)
		post(&keys[i], down);
	post(&stranger, down);
	hd_workers_quiesce();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(who_is_here_is_told, watcher_make),
		cmocka_unit_test(flaps_are_merged),
		cmocka_unit_test(one_that_is_back_was_gone),
		cmocka_unit_test(who_left_before_once_more_is_told),
		cmocka_unit_test(once_more_lists_all),
		cmocka_unit_test(more_realms_are_told_in_all_tenants),
		cmocka_unit_test(it_ends_with_the_watcher),
		cmocka_unit_test(all_leave),
	};

	return sodium_init() < 0 ? 1
				 : cmocka_run_group_tests(tests, start, stop);
}
