/* SPDX-License-Identifier: MIT */
/* core/loop/task.c - blocking work: DNS, files, fsync. A queue, a few threads.
 *
 *   hd_task() --> queued --> work() --> done() in a worker
 *                   |           `-- the worker, or the relay, has ended -->
 * drop
 *                   `-- the module does not start, the relay ends -------->
 * drop
 *
 * Context: hd_task() from any thread. */
#include "core/base/dry.h"
#include "core/base/module_id.h"
#include "core/loop/inbox.h"
#include "core/loop/task.h"
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/task.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	HELPERS = 4,
	/* So many of the core's at a time: they look up names, and where the
	 * DNS does not answer each takes many seconds. Files of modules are
	 * written meanwhile. */
	CORE_MAX = 2,
	TASKS_MAX = 1024,
};

struct task {
	struct task *next;
	struct hd_module *mod;
	struct hd_worker *w;
	hd_task_fn *work;
	hd_post_fn *done;
	hd_worker_fn *core_done; /* the core's, without a module */
	hd_drop_fn *drop;
	void *arg;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more, idle;
	struct task *first, **last;
	unsigned n; /* queued and running */
	unsigned n_core; /* the core's that run */
	unsigned n_threads;
	bool open;
	bool running; /* workers are there for what is done */
	bool lost; /* and now they may have gone */
	pthread_t threads[HELPERS];
} tasks = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.more = PTHREAD_COND_INITIALIZER,
	.idle = PTHREAD_COND_INITIALIZER,
};

static void *helper(void *arg);

/* ---- the queue; with the lock held ---- */

static struct task *take(struct task **at)
{
	struct task *t = *at;

	*at = t->next;
	if (tasks.last == &t->next)
		tasks.last = at;
	t->next = NULL;
	return t;
}

static bool may_run(const struct task *t)
{
	if (t->core_done != NULL)
		return tasks.n_core < CORE_MAX;
	return t->mod == NULL || !t->mod->tasks_wait;
}

/* The first that may run. Whoever has run one of the core's takes the next. */
static struct task *pop(void)
{
	struct task **at = &tasks.first;

	if (!tasks.running)
		return NULL;
	while (*at != NULL && !may_run(*at))
		at = &(*at)->next;
	if (*at == NULL)
		return NULL;
	tasks.n_core += (*at)->core_done != NULL;
	return take(at);
}

/* One more thread while there are more tasks than threads. */
static void grow(void)
{
	if (!tasks.running || tasks.n_threads == HELPERS ||
	    tasks.n <= tasks.n_threads)
		return;
	if (pthread_create(&tasks.threads[tasks.n_threads], NULL, helper,
			   NULL) == 0)
		tasks.n_threads++;
}

static int put(struct task *t)
{
	if (!tasks.open)
		return -ESHUTDOWN;
	if (tasks.n >= TASKS_MAX)
		return -EBUSY;
	tasks.n++;
	grow();
	if (tasks.running && tasks.n_threads == 0) { /* nobody would run it */
		tasks.n--;
		return -ENOMEM;
	}
	*tasks.last = t;
	tasks.last = &t->next;
	pthread_cond_signal(&tasks.more);
	return 0;
}

/* ---- a module's ---- */

static bool may_begin(struct hd_module *mod)
{
	if (mod == NULL)
		return true;
	/* whoever closes the module sets the flag first, then counts */
	__atomic_add_fetch(&mod->tasks, 1, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&mod->closing, __ATOMIC_SEQ_CST))
		return true;
	__atomic_sub_fetch(&mod->tasks, 1, __ATOMIC_SEQ_CST);
	return false;
}

static void ended(struct hd_module *mod)
{
	if (mod != NULL)
		__atomic_sub_fetch(&mod->tasks, 1, __ATOMIC_SEQ_CST);
}

static unsigned busy(const struct hd_module *mod)
{
	return __atomic_load_n(&mod->tasks, __ATOMIC_SEQ_CST);
}

const struct hd_kind hd_task_kind = {
	.name = "tasks",
	.busy = busy,
	.busy_text = "background work",
};

/* ---- helper threads ---- */

/* With the lock held: workers are not freed meanwhile.
 * Returns whether arg is done()'s now. */
static bool hand_back(const struct task *t)
{
	if (t->w == NULL || tasks.lost)
		return false;
	if (t->core_done != NULL)
		return hd_worker_post(t->w, t->core_done, t->arg, NULL) == 0;
	int r = hd_inbox_offer(t->mod, t->w, t->done, t->arg, t->drop);

	if (r < 0)
		hd_log_debug("a task's result was lost: module=%s error=\"%s\"",
			     t->mod->name, strerror(-r));
	return r == 0;
}

static void run(struct task *t)
{
	t->work(t->mod, t->arg);
	if (t->done != NULL || t->core_done != NULL) {
		pthread_mutex_lock(&tasks.lock);
		bool handed = hand_back(t);

		pthread_mutex_unlock(&tasks.lock);
		if (!handed)
			hd_drop(t->drop, t->arg);
	}
	ended(t->mod);
	free(t);
}

static struct task *wait_for_one(void)
{
	struct task *t = pop();

	while (t == NULL && tasks.open) {
		pthread_cond_wait(&tasks.more, &tasks.lock);
		t = pop();
	}
	return t;
}

static void *helper(void *arg)
{
	struct task *t;

	(void)arg;
	pthread_setname_np(pthread_self(), "hd-task");
	pthread_mutex_lock(&tasks.lock);
	while ((t = wait_for_one()) != NULL) {
		bool of_core = t->core_done != NULL;

		pthread_mutex_unlock(&tasks.lock);
		run(t);
		pthread_mutex_lock(&tasks.lock);
		tasks.n_core -= of_core;
		if (--tasks.n == 0)
			pthread_cond_signal(&tasks.idle);
	}
	pthread_mutex_unlock(&tasks.lock);
	return NULL;
}

/* ---- from any thread ---- */

static int begin(const struct task *what)
{
	if (!may_begin(what->mod))
		return -EBUSY;
	struct task *t = malloc(sizeof(*t));
	int r = -ENOMEM;

	if (t != NULL) {
		*t = *what;
		pthread_mutex_lock(&tasks.lock);
		r = put(t);
		pthread_mutex_unlock(&tasks.lock);
	}
	if (r < 0) {
		ended(what->mod);
		free(t);
	}
	return r;
}

int hd_task(struct hd_module *mod, struct hd_worker *w, hd_task_fn *work,
	    hd_post_fn *done, void *arg, hd_drop_fn *drop)
{
	const struct task t = { .mod = mod,
				.w = w,
				.work = work,
				.done = done,
				.drop = drop,
				.arg = arg };
	int r = hd_dry ? 0 : begin(&t);

	if (r < 0 || hd_dry)
		hd_drop(drop, arg);
	return r;
}

int hd_task_core(struct hd_worker *w, hd_task_fn *work, hd_worker_fn *done,
		 void *arg, hd_drop_fn *drop)
{
	const struct task t = { .w = w,
				.work = work,
				.core_done = done,
				.drop = drop,
				.arg = arg };
	int r = begin(&t);

	if (r < 0)
		hd_drop(drop, arg);
	return r;
}

int hd_task_offer(struct hd_module *mod, hd_task_fn *work, void *arg,
		  hd_drop_fn *drop)
{
	const struct task t = {
		.mod = mod, .work = work, .drop = drop, .arg = arg
	};

	return begin(&t);
}

/* ---- main thread ---- */

void hd_tasks_start(void)
{
	pthread_mutex_lock(&tasks.lock);
	tasks.first = NULL;
	tasks.last = &tasks.first;
	tasks.n = tasks.n_core = tasks.n_threads = 0;
	tasks.open = true;
	tasks.running = tasks.lost = false;
	pthread_mutex_unlock(&tasks.lock);
}

/* With the lock held: threads for what waited. */
static void go(void)
{
	for (unsigned i = 0; i < HELPERS; i++)
		grow();
	pthread_cond_broadcast(&tasks.more);
}

void hd_tasks_run(void)
{
	pthread_mutex_lock(&tasks.lock);
	tasks.running = true;
	go();
	pthread_mutex_unlock(&tasks.lock);
}

void hd_tasks_hold(struct hd_module *mod)
{
	pthread_mutex_lock(&tasks.lock);
	mod->tasks_wait = true;
	pthread_mutex_unlock(&tasks.lock);
	__atomic_store_n(&mod->closing, false, __ATOMIC_SEQ_CST);
}

void hd_tasks_release(struct hd_module *mod)
{
	pthread_mutex_lock(&tasks.lock);
	mod->tasks_wait = false;
	go();
	pthread_mutex_unlock(&tasks.lock);
}

/* Of one module, or (NULL) all that nobody has begun. */
static void drop_queued(const struct hd_module *mod)
{
	struct task *dropped = NULL, **at = &tasks.first;

	pthread_mutex_lock(&tasks.lock);
	while (*at != NULL) {
		if (mod != NULL && (*at)->mod != mod) {
			at = &(*at)->next;
			continue;
		}
		struct task *t = take(at);

		t->next = dropped;
		dropped = t;
		tasks.n--;
	}
	pthread_mutex_unlock(&tasks.lock);
	while (dropped != NULL) {
		struct task *t = dropped;

		dropped = t->next;
		hd_drop(t->drop, t->arg);
		ended(t->mod);
		free(t);
	}
}

bool hd_tasks_end(struct hd_module *mod)
{
	__atomic_store_n(&mod->closing, true, __ATOMIC_SEQ_CST);
	drop_queued(mod);
	return busy(mod) == 0;
}

static struct timespec in_ms(unsigned ms)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

bool hd_tasks_stop(unsigned limit_ms)
{
	const struct timespec until = in_ms(limit_ms);
	int r = 0;

	pthread_mutex_lock(&tasks.lock);
	tasks.open = false;
	pthread_cond_broadcast(&tasks.more);
	while (tasks.running && tasks.n > 0 && r == 0)
		r = pthread_cond_timedwait(&tasks.idle, &tasks.lock, &until);
	tasks.lost = true;
	pthread_mutex_unlock(&tasks.lock);
	drop_queued(NULL);
	pthread_mutex_lock(&tasks.lock);
	bool all = tasks.n == 0;

	pthread_mutex_unlock(&tasks.lock);
	for (unsigned i = 0; i < tasks.n_threads && all; i++)
		pthread_join(tasks.threads[i], NULL);
	return all && r == 0;
}
