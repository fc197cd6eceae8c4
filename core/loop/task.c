/* SPDX-License-Identifier: MIT */
/* core/loop/task.c - blocking work: DNS, files, fsync. A queue, two threads.
 * Context: hd_task() from any thread. */
#include "core/base/dry.h"
#include "core/base/module_id.h"
#include "core/loop/task.h"
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/task.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HELPERS = 2, TASKS_MAX = 1024 };

struct task {
	struct task *next;
	struct hd_module *mod;
	struct hd_worker *w;
	void (*work)(void *arg);
	hd_post_fn *done;
	void *arg;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more, idle;
	struct task *first, **last;
	unsigned n; /* queued and running */
	unsigned n_threads;
	bool open;
	pthread_t threads[HELPERS];
} tasks = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.more = PTHREAD_COND_INITIALIZER,
	.idle = PTHREAD_COND_INITIALIZER,
};

static struct task *pop(void)
{
	struct task *t = tasks.first;

	tasks.first = t->next;
	if (tasks.first == NULL)
		tasks.last = &tasks.first;
	return t;
}

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

static void run(const struct task *t)
{
	t->work(t->arg);
	if (t->done == NULL || t->w == NULL)
		return;
	int r = hd_post(t->mod, t->w, t->done, t->arg);
	if (r < 0)
		hd_log_debug("a task's result was lost: module=%s error=\"%s\"",
			     t->mod->name, strerror(-r));
}

static void *helper(void *arg)
{
	(void)arg;
	pthread_setname_np(pthread_self(), "hd-task");
	pthread_mutex_lock(&tasks.lock);
	for (;;) {
		while (tasks.first == NULL && tasks.open)
			pthread_cond_wait(&tasks.more, &tasks.lock);
		if (tasks.first == NULL)
			break;
		struct task *t = pop();
		pthread_mutex_unlock(&tasks.lock);
		run(t);
		ended(t->mod);
		free(t);
		pthread_mutex_lock(&tasks.lock);
		if (--tasks.n == 0)
			pthread_cond_signal(&tasks.idle);
	}
	pthread_mutex_unlock(&tasks.lock);
	return NULL;
}

/* One more thread while there are more tasks than threads. */
static void grow(void)
{
	if (tasks.n_threads == HELPERS || tasks.n <= tasks.n_threads)
		return;
	if (pthread_create(&tasks.threads[tasks.n_threads], NULL, helper,
			   NULL) == 0)
		tasks.n_threads++;
}

int hd_task(struct hd_module *mod, struct hd_worker *w, void (*work)(void *arg),
	    hd_post_fn *done, void *arg)
{
	struct task *t;
	int r = 0;

	if (hd_dry)
		return 0;
	if (!may_begin(mod))
		return -EBUSY;
	t = malloc(sizeof(*t));
	if (t == NULL) {
		ended(mod);
		return -ENOMEM;
	}
	*t = (struct task){
		.mod = mod, .w = w, .work = work, .done = done, .arg = arg
	};
	pthread_mutex_lock(&tasks.lock);
	if (!tasks.open || tasks.n >= TASKS_MAX) {
		r = -EBUSY;
	} else {
		*tasks.last = t;
		tasks.last = &t->next;
		tasks.n++;
		grow();
		if (tasks.n_threads == 0) { /* nobody would run it */
			pop();
			tasks.n--;
			r = -ENOMEM;
		}
		pthread_cond_signal(&tasks.more);
	}
	pthread_mutex_unlock(&tasks.lock);
	if (r < 0) {
		ended(mod);
		free(t);
	}
	return r;
}

void hd_tasks_start(void)
{
	pthread_mutex_lock(&tasks.lock);
	tasks.first = NULL;
	tasks.last = &tasks.first;
	tasks.n = tasks.n_threads = 0;
	tasks.open = true;
	pthread_mutex_unlock(&tasks.lock);
}

bool hd_tasks_stop(unsigned limit_ms)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += limit_ms / 1000;
	until.tv_nsec += (long)(limit_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&tasks.lock);
	tasks.open = false;
	pthread_cond_broadcast(&tasks.more);
	while (tasks.n > 0 && r == 0)
		r = pthread_cond_timedwait(&tasks.idle, &tasks.lock, &until);
	bool all = tasks.n == 0;
	pthread_mutex_unlock(&tasks.lock);
	for (unsigned i = 0; i < tasks.n_threads && all; i++)
		pthread_join(tasks.threads[i], NULL);
	return all;
}
