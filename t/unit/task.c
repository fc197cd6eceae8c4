/* SPDX-License-Identifier: MIT */
/* t/unit/task.c - helper threads run what they are given and stop in time. */
#include <hyper-derp/task.h>
#include "core/loop/task.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

enum { PATIENCE_MS = 60000 }; /* longer than a machine stalls */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static unsigned ran;

static void work(struct hd_module *mod, void *arg)
{
	(void)mod;
	(void)arg;
	__atomic_add_fetch(&ran, 1, __ATOMIC_SEQ_CST);
}

static void wait_for_gate(struct hd_module *mod, void *arg)
{
	(void)mod;
	(void)arg;
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
}

static void no_done(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	(void)mod;
	(void)w;
	(void)arg;
}

static void all_are_run(void **state)
{
	(void)state;
	hd_tasks_start();
	hd_tasks_run();
	ran = 0;
	for (int i = 0; i < 500; i++)
		assert_int_equal(hd_task(NULL, NULL, work, NULL, NULL, NULL),
				 0);
	assert_true(hd_tasks_stop(PATIENCE_MS));
	assert_int_equal(ran, 500);
	assert_int_equal(hd_task(NULL, NULL, work, NULL, NULL, NULL),
			 -ESHUTDOWN);
}

static void too_many_are_refused(void **state)
{
	int r = 0;
	unsigned n = 0;

	(void)state;
	hd_tasks_start();
	hd_tasks_run();
	pthread_mutex_lock(&gate);
	while ((r = hd_task(NULL, NULL, wait_for_gate, NULL, NULL, NULL)) == 0)
		n++;
	pthread_mutex_unlock(&gate);
	assert_int_equal(r, -EBUSY);
	assert_in_range(n, 1000, 2000);
	assert_true(hd_tasks_stop(PATIENCE_MS));
}

static atomic_uint dropped;

static void drop(void *arg)
{
	(void)arg;
	dropped++;
}

/* What has not begun is dropped at once; what runs, when it has ended: there
 * may be no worker that its done() could be called in. */
static void stop_does_not_wait_for_ever(void **state)
{
	(void)state;
	hd_tasks_start();
	hd_tasks_run();
	dropped = 0;
	pthread_mutex_lock(&gate);
	for (int i = 0; i < 7; i++)
		assert_int_equal(
			hd_task(NULL, NULL, wait_for_gate, no_done, NULL, drop),
			0);
	assert_false(hd_tasks_stop(20));
	assert_in_range(dropped, 3, 7); /* four threads, if they came so far */
	pthread_mutex_unlock(&gate);
	assert_true(hd_tasks_stop(PATIENCE_MS));
	assert_int_equal(dropped, 7);
}

static void no_core_done(struct hd_worker *w, void *arg, void *unused)
{
	(void)w;
	(void)arg;
	(void)unused;
}

/* As many as there are relays to dial, when the DNS does not answer. */
static void lookups_hold_up_no_module(void **state)
{
	(void)state;
	hd_tasks_start();
	hd_tasks_run();
	dropped = ran = 0;
	pthread_mutex_lock(&gate);
	for (int i = 0; i < 9; i++)
		assert_int_equal(hd_task_core(NULL, wait_for_gate, no_core_done,
					      NULL, drop),
				 0);
	assert_int_equal(hd_task(NULL, NULL, work, NULL, NULL, NULL), 0);
	for (int ms = 0; ms < PATIENCE_MS; ms++) {
		if (__atomic_load_n(&ran, __ATOMIC_SEQ_CST) == 1)
			break;
		usleep(1000);
	}
	assert_int_equal(__atomic_load_n(&ran, __ATOMIC_SEQ_CST), 1);
	pthread_mutex_unlock(&gate);
	assert_true(hd_tasks_stop(PATIENCE_MS));
	assert_int_equal(dropped, 9); /* there is no worker to tell */
}

static void without_done_the_work_has_it(void **state)
{
	(void)state;
	hd_tasks_start();
	dropped = ran = 0;
	assert_int_equal(hd_task(NULL, NULL, work, NULL, NULL, drop), 0);
	hd_tasks_run();
	assert_true(hd_tasks_stop(PATIENCE_MS));
	assert_int_equal(ran, 1);
	assert_int_equal(dropped, 0);
}

static void none_runs_before_the_workers(void **state)
{
	(void)state;
	hd_tasks_start();
	dropped = ran = 0;
	assert_int_equal(hd_task(NULL, NULL, work, NULL, NULL, drop), 0);
	assert_true(hd_tasks_stop(PATIENCE_MS));
	assert_int_equal(ran, 0);
	assert_int_equal(dropped, 1);
	assert_int_equal(hd_task(NULL, NULL, work, NULL, NULL, drop),
			 -ESHUTDOWN);
	assert_int_equal(dropped, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_run),
		cmocka_unit_test(too_many_are_refused),
		cmocka_unit_test(stop_does_not_wait_for_ever),
		cmocka_unit_test(lookups_hold_up_no_module),
		cmocka_unit_test(without_done_the_work_has_it),
		cmocka_unit_test(none_runs_before_the_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
