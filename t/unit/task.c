/* SPDX-License-Identifier: MIT */
/* t/unit/task.c - helper threads run what they are given and stop in time. */
#include <hyper-derp/task.h>
#include "core/loop/task.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <pthread.h>

enum { PATIENCE_MS = 60000 }; /* longer than a machine stalls */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static unsigned ran;

static void work(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&ran, 1, __ATOMIC_SEQ_CST);
}

static void wait_for_gate(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
}

static void all_are_run(void **state)
{
	(void)state;
	hd_tasks_start();
	ran = 0;
	for (int i = 0; i < 500; i++)
		assert_int_equal(hd_task(NULL, NULL, work, NULL, NULL), 0);
	assert_true(hd_tasks_stop(PATIENCE_MS));
	assert_int_equal(ran, 500);
	assert_int_equal(hd_task(NULL, NULL, work, NULL, NULL), -EBUSY);
}

static void too_many_are_refused(void **state)
{
	int r = 0;
	unsigned n = 0;

	(void)state;
	hd_tasks_start();
	pthread_mutex_lock(&gate);
	while ((r = hd_task(NULL, NULL, wait_for_gate, NULL, NULL)) == 0)
		n++;
	pthread_mutex_unlock(&gate);
	assert_int_equal(r, -EBUSY);
	assert_in_range(n, 1000, 2000);
	assert_true(hd_tasks_stop(PATIENCE_MS));
}

static void stop_does_not_wait_for_ever(void **state)
{
	(void)state;
	hd_tasks_start();
	pthread_mutex_lock(&gate);
	assert_int_equal(hd_task(NULL, NULL, wait_for_gate, NULL, NULL), 0);
	assert_false(hd_tasks_stop(20));
	pthread_mutex_unlock(&gate);
	assert_true(hd_tasks_stop(PATIENCE_MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_run),
		cmocka_unit_test(too_many_are_refused),
		cmocka_unit_test(stop_does_not_wait_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
