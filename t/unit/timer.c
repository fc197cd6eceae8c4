/* SPDX-License-Identifier: MIT */
/* t/unit/timer.c - a module's timers in a worker: set, freed, freed in their
 * own callback. */
#include <hyper-derp/timer.h>
#include <hyper-derp/worker.h>
#include "t/unit/unit.h"

#include <time.h>
#include "core/loop/timer.h"
#include "core/loop/worker.h"
#include "t/unit/workers.h"

enum { TIMERS = 100 }; /* more than a fresh heap has room for */

static struct hd_module mod;
static struct hd_timer *timers[TIMERS]; /* of the worker */
static unsigned fired, left; /* atomic */

static void on_late(struct hd_module *m, struct hd_worker *w, void *arg)
{
	(void)m;
	(void)w;
	(void)arg;
	hd_assert_fail("one that was freed has fired", __FILE__, __LINE__);
}

static void on_time(struct hd_module *m, struct hd_worker *w, void *arg)
{
	hd_assert(m == &mod);
	hd_timer_free(arg);
	hd_assert(*(struct hd_timer **)arg == NULL);
	__atomic_store_n(&left, hd_timers_n(w, m), __ATOMIC_RELAXED);
	__atomic_add_fetch(&fired, 1, __ATOMIC_RELEASE);
}

/* Every second one goes before its time. */
static void begin(struct hd_worker *w, void *unused, void *unused2)
{
	(void)unused;
	(void)unused2;
	for (unsigned i = 0; i < TIMERS; i++)
		timers[i] = hd_timer_new(&mod, w, i % 2 ? on_late : on_time,
					 &timers[i]);
	for (unsigned i = 0; i < TIMERS; i++)
		hd_timer_set(timers[i], 1 + i % 3);
	for (unsigned i = 1; i < TIMERS; i += 2)
		hd_timer_free(&timers[i]);
	hd_timer_free(&timers[1]); /* NULL by now */
	hd_assert(hd_timers_n(w, &mod) == TIMERS / 2);
}

static void freed_timers_do_not_fire(void **state)
{
	(void)state;
	assert_int_equal(workers_start(1), 0);
	assert_int_equal(hd_worker_post(hd_worker_at(0), begin, NULL, NULL), 0);
	for (int i = 0; i < 60000; i++) {
		if (__atomic_load_n(&fired, __ATOMIC_ACQUIRE) == TIMERS / 2)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	assert_int_equal(__atomic_load_n(&fired, __ATOMIC_ACQUIRE), TIMERS / 2);
	assert_int_equal(__atomic_load_n(&left, __ATOMIC_RELAXED), 0);
	hd_workers_stop();
}

static void now_ns_goes_on(void **state)
{
	uint64_t before = hd_now_ns();

	(void)state;
	assert_true(before > 0);
	assert_true(hd_now_ns() >= before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(freed_timers_do_not_fire),
		cmocka_unit_test(now_ns_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
