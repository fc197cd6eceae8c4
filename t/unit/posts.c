/* SPDX-License-Identifier: MIT */
/* t/unit/posts.c - what a module hands to workers and helper threads either
 * reaches its function or is dropped, exactly once: with workers that run, when
 * start() fails, after stop(), and at the end. A sanitizer sees the rest. */
#include <hyper-derp/relay.h>
#include <hyper-derp/task.h>
#include <hyper-derp/worker.h>
#include "t/unit/unit.h"
#include <errno.h>
#include <sodium.h>
#include <time.h>
#include "core/base/key.h"
#include "core/loop/inbox.h"
#include "core/loop/task.h"
#include "core/module/module_life.h"
#include "core/relay/peer.h"
#include "t/unit/workers.h"

enum { WORKERS = 3, MANY = 500, PATIENCE_MS = 60000 };

/* ---- what is handed over: an int on the heap ---- */

static struct counts { /* atomics */
	int made, ran, worked, dropped;
	int out_of_time; /* ran where the module has not started, or stopped */
} n;

static bool started[WORKERS]; /* by the worker */
static bool round_and_round; /* posts go on for ever */
static bool tasks_in_load;
static int fails_in = -1; /* the worker whose start() does */

static void up(int *counter)
{
	__atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
}

static int get(const int *counter)
{
	return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}

static int *thing(void)
{
	int *t = malloc(sizeof(*t));

	assert_non_null(t);
	up(&n.made);
	return t;
}

static void drop(void *t)
{
	up(&n.dropped);
	free(t);
}

static void take(struct hd_module *mod, struct hd_worker *w, void *t)
{
	(void)mod;
	if (!started[hd_worker_index(w)])
		up(&n.out_of_time);
	up(&n.ran);
	free(t);
}

static void pass_on(struct hd_module *mod, struct hd_worker *w, void *t)
{
	unsigned next = (hd_worker_index(w) + 1) % hd_workers();

	if (!round_and_round) {
		take(mod, w, t);
		return;
	}
	hd_post(mod, hd_worker_at(next), pass_on, thing(), drop);
	take(mod, w, t);
}

static void work(struct hd_module *mod, void *t)
{
	(void)mod;
	*(int *)t = 1;
	up(&n.worked);
}

static void assert_all_were_released(void)
{
	assert_int_equal(n.ran + n.dropped, n.made);
	assert_int_equal(n.out_of_time, 0);
}

/* ---- the module ---- */

static int test_load(struct hd_module *mod, struct hd_error *err)
{
	(void)err;
	if (tasks_in_load)
		hd_task(mod, NULL, work, take, thing(), drop);
	return 0;
}

static int test_start(struct hd_module *mod, struct hd_worker *w,
		      struct hd_error *err)
{
	for (unsigned i = 0; i < hd_workers(); i++)
		hd_post(mod, hd_worker_at(i), take, thing(), drop);
	hd_task(mod, w, work, take, thing(), drop);
	if ((int)hd_worker_index(w) == fails_in)
		return hd_error_set(err, -EPERM, "a bad day");
	started[hd_worker_index(w)] = true;
	return 0;
}

static void test_stop(struct hd_module *mod, struct hd_worker *w)
{
	started[hd_worker_index(w)] = false;
	/* to those that have stopped, to itself, and to those that have not */
	for (unsigned i = 0; i < hd_workers(); i++)
		hd_post(mod, hd_worker_at(i), take, thing(), drop);
	hd_task(mod, w, work, take, thing(), drop);
}

static void test_unload(struct hd_module *mod)
{
	const struct hd_key key = { { 1 } };

	hd_post(mod, hd_relay_home(0, &key), take, thing(), drop);
}

static struct hd_module *place(void)
{
	struct hd_module_file file = {
		.def = { .name = "test",
			 .load = test_load,
			 .start = test_start,
			 .stop = test_stop,
			 .unload = test_unload },
		.copy_fd = -1,
	};

	return hd_module_place(&file);
}

/* ---- a relay ---- */

static struct hd_conf *conf;

static int set_up(void **state)
{
	static const struct hd_conf_cli cli = { .port = -1, .workers = -1 };
	struct hd_error err;

	(void)state;
	n = (struct counts){ 0 };
	round_and_round = tasks_in_load = false;
	fails_in = -1;
	memset(started, 0, sizeof(started));
	if (hd_conf_load_text("", 0, &cli, &conf, &err) < 0)
		fail_msg("%s", err.text);
	hd_module_sections_begin(conf);
	hd_tasks_start();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hd_workers_free();
	hd_module_sections_clear();
	hd_conf_free(&conf);
	return 0;
}

static void begin(void)
{
	assert_int_equal(workers_start(WORKERS), 0);
	hd_tasks_run();
}

static void end(void)
{
	assert_true(hd_tasks_stop(PATIENCE_MS));
	hd_workers_stop();
	assert_all_were_released();
}

static void wait_for(const int *counter, int want)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	for (int i = 0; i < PATIENCE_MS && get(counter) < want; i++)
		nanosleep(&ms, NULL);
	assert_in_range(get(counter), want, INT_MAX);
}

/* ---- tests ---- */

static void accepted_posts_run_before_stop(void **state)
{
	struct hd_error err = { "" };

	(void)state;
	begin();
	struct hd_life l = { .mod = place() };

	assert_int_equal(hd_life_in(&l, &err), 0);
	for (unsigned i = 0; i < MANY * WORKERS; i++)
		assert_int_equal(hd_post(l.mod, hd_worker_at(i % WORKERS), take,
					 thing(), drop),
				 0);
	wait_for(&n.worked, WORKERS);
	/* as an unload does */
	while (__atomic_load_n(&l.mod->tasks, __ATOMIC_ACQUIRE) > 0)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	hd_tasks_end(l.mod);
	assert_true(hd_life_stop(&l));
	assert_in_range(n.ran, MANY * WORKERS + WORKERS * (WORKERS + 1),
			MANY * WORKERS + WORKERS * (WORKERS + WORKERS + 1));
	int ran = n.ran;

	assert_int_equal(hd_post(l.mod, hd_worker_at(0), take, thing(), drop),
			 -ESHUTDOWN);
	assert_int_equal(hd_post(l.mod, NULL, take, thing(), drop), -ESHUTDOWN);
	assert_int_equal(hd_post(l.mod, NULL, take, NULL, NULL), -ESHUTDOWN);
	hd_life_forget(l.mod);
	assert_int_equal(n.ran, ran);
	end();
}

static void endless_posts_end_with_stop(void **state)
{
	struct hd_error err = { "" };

	(void)state;
	begin();
	struct hd_life l = { .mod = place() };

	assert_int_equal(hd_life_in(&l, &err), 0);
	round_and_round = true;
	for (unsigned i = 0; i < 10; i++)
		hd_post(l.mod, hd_worker_at(0), pass_on, thing(), drop);
	wait_for(&n.ran, MANY);
	assert_true(hd_life_stop(&l));
	assert_int_equal(l.mod->posts, 0);
	end();
	hd_life_forget(l.mod);
	assert_all_were_released();
}

/* Whatever the others have posted to the worker that does not start. */
static void a_start_that_fails_drops(void **state)
{
	struct hd_error err = { "" };

	(void)state;
	begin();
	struct hd_life l = { .mod = place() };

	tasks_in_load = true;
	fails_in = WORKERS - 1;
	assert_int_equal(hd_life_in(&l, &err), -EPERM);
	assert_int_equal(n.worked, 0); /* no task has begun: its code goes */
	assert_in_range(n.dropped, WORKERS + 1 + 1, INT_MAX);
	assert_int_equal(l.mod->posts + l.mod->tasks, 0);
	hd_life_forget(l.mod);
	end();
}

static void a_relay_that_does_not_start_drops(void **state)
{
	struct hd_module *mod = place();
	struct hd_life l = { .mod = mod };
	struct hd_error err = { "" };

	(void)state;
	tasks_in_load = true;
	fails_in = 1;
	assert_int_equal(hd_life_in(&l, &err), 0); /* load() alone */
	assert_int_equal(workers_start(WORKERS), -1);
	assert_true(hd_tasks_stop(PATIENCE_MS));
	hd_life_forget(mod);
	assert_int_equal(n.worked, 0);
	assert_all_were_released();
}

/* The module stays to the end: stop() in each worker as that one ends. */
static void the_end_of_the_relay(void **state)
{
	struct hd_module *mod = place();
	struct hd_life l = { .mod = mod };
	struct hd_error err = { "" };

	(void)state;
	tasks_in_load = true;
	assert_int_equal(hd_life_in(&l, &err), 0);
	begin();
	for (unsigned i = 0; i < MANY * WORKERS; i++)
		hd_post(mod, hd_worker_at(i % WORKERS), pass_on, thing(), drop);
	end();
	assert_int_equal(n.worked, WORKERS + 1);
	hd_life_forget(mod);
	assert_all_were_released();
}

static void every_key_has_a_home(void **state)
{
	struct hd_key key;

	(void)state;
	assert_null(hd_relay_home(0, &(struct hd_key){ { 0 } }));
	hd_relay_kick(0, &(struct hd_key){ { 0 } }, HD_CLOSE_KICKED);
	begin();
	for (int i = 0; i < 100 * WORKERS; i++) {
		randombytes_buf(&key, sizeof(key));
		assert_ptr_equal(
			hd_relay_home(7, &key),
			hd_worker_at(hd_key_home(hd_key_hash(7, &key))));
	}
	end();
}

/* Of keys that are numbers, as somebody makes who wants them in one worker:
 * chi-square of how many are whose. */
static double unevenness(unsigned n_workers, unsigned n_keys)
{
	double mean = (double)n_keys / n_workers, sum = 0;
	unsigned at[MANY] = { 0 };

	for (unsigned i = 0; i < n_keys; i++) {
		struct hd_key key = { { 0 } };

		memcpy(&key, &i, sizeof(i));
		at[hd_worker_index(hd_relay_home(7, &key))]++;
	}
	for (unsigned i = 0; i < n_workers; i++)
		sum += (at[i] - mean) * (at[i] - mean) / mean;
	return sum;
}

/* Bounds that a fair hash breaks once in a thousand million runs, by the
 * number of workers less one. Too even is a count, not a hash. */
static void keys_spread_evenly(void **state)
{
	static const struct {
		unsigned workers;
		double least, most;
	} bounds[] = { { 2, 0, 38 }, { 3, 0, 42 }, { 8, 0, 60 },
		       { 64, 16, 160 } };

	(void)state;
	hd_tasks_run();
	for (unsigned i = 0; i < HD_ARRAY_N(bounds); i++) {
		assert_int_equal(workers_start(bounds[i].workers), 0);
		double x = unevenness(bounds[i].workers, 20000);

		print_message("# 20,000 keys, %u workers: chi-square %.1f\n",
			      bounds[i].workers, x);
		assert_true(x >= bounds[i].least && x <= bounds[i].most);
		hd_workers_stop();
	}
	assert_true(hd_tasks_stop(PATIENCE_MS));
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(accepted_posts_run_before_stop),
		TEST(endless_posts_end_with_stop),
		TEST(a_start_that_fails_drops),
		TEST(a_relay_that_does_not_start_drops),
		TEST(the_end_of_the_relay),
		TEST(every_key_has_a_home),
		TEST(keys_spread_evenly),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
