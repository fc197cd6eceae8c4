/* SPDX-License-Identifier: MIT */
/* core/loop/workers.c - all workers: start, run a function in each, stop. The
 * main thread talks to them through their inboxes only. Context: main thread.
 */
#include <errno.h>
#include <hyper-derp/worker.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "core/base/lines.h"
#include "core/loop/inbox.h"
#include "core/loop/worker_run.h"
#include "core/loop/xring.h"

static struct hd_worker *workers;
static unsigned n_workers;

unsigned hd_workers(void)
{
	return n_workers;
}

struct hd_worker *hd_worker_at(unsigned i)
{
	return &workers[i];
}

unsigned hd_worker_index(const struct hd_worker *w)
{
	return w->index;
}

bool hd_worker_serving(const struct hd_worker *w)
{
	return __atomic_load_n(&w->serving, __ATOMIC_RELAXED);
}

unsigned hd_workers_wanted(const struct hd_conf *conf)
{
	cpu_set_t set;

	if (conf->workers > 0)
		return (unsigned)conf->workers;
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return (unsigned)HD_MAX(1, CPU_COUNT(&set));
}

/* ---- a function that each of them runs ---- */

struct round {
	pthread_mutex_t lock;
	pthread_cond_t done;
	unsigned left;
	hd_run_fn *fn;
	void *arg;
};

static void round_run(struct hd_worker *w, void *round, void *unused)
{
	struct round *r = round;

	(void)unused;
	r->fn(w, r->arg);
	pthread_mutex_lock(&r->lock);
	r->left--;
	pthread_cond_signal(&r->done);
	pthread_mutex_unlock(&r->lock);
}

void hd_workers_run_all(hd_run_fn *fn, void *arg)
{
	struct round r = { .left = n_workers, .fn = fn, .arg = arg };

	pthread_mutex_init(&r.lock, NULL);
	pthread_cond_init(&r.done, NULL);
	for (unsigned i = 0; i < n_workers; i++)
		if (hd_worker_post(&workers[i], round_run, &r, NULL) < 0) {
			pthread_mutex_lock(&r.lock);
			r.left--;
			pthread_mutex_unlock(&r.lock);
		}
	pthread_mutex_lock(&r.lock);
	while (r.left > 0)
		pthread_cond_wait(&r.done, &r.lock);
	pthread_mutex_unlock(&r.lock);
	pthread_cond_destroy(&r.done);
	pthread_mutex_destroy(&r.lock);
}

/* ---- start ---- */

struct hd_worker_boot {
	pthread_mutex_t lock;
	pthread_cond_t change;
	unsigned reported;
	int result; /* the first failure */
	bool decided;
	struct hd_error err;
};

int hd_boot_report(struct hd_worker *w, int result, const struct hd_error *err)
{
	struct hd_worker_boot *b = w->boot;

	pthread_mutex_lock(&b->lock);
	b->reported++;
	if (result < 0 && b->result == 0) {
		b->result = result;
		b->err = *err;
	}
	pthread_cond_broadcast(&b->change);
	while (!b->decided)
		pthread_cond_wait(&b->change, &b->lock);
	result = b->result < 0 ? -ECANCELED : 0;
	pthread_mutex_unlock(&b->lock);
	return result;
}

/* Waits for the threads that were started; all of them go, or none. */
static int boot_decide(struct hd_worker_boot *b, unsigned started)
{
	int r;

	pthread_mutex_lock(&b->lock);
	while (b->reported < started)
		pthread_cond_wait(&b->change, &b->lock);
	if (started < n_workers && b->result == 0)
		b->result = hd_error_set(&b->err, -EAGAIN,
					 "a worker thread cannot be started");
	b->decided = true;
	r = b->result;
	pthread_cond_broadcast(&b->change);
	pthread_mutex_unlock(&b->lock);
	return r;
}

static int worker_init(struct hd_worker *w, unsigned i,
		       const struct hd_workers_args *args)
{
	int r;

	w->index = i;
	w->conf = args->conf;
	w->ring_ops = args->ring_ops;
	w->ops = args->ops;
	hd_inbox_init(&w->inbox);
	w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->wake_fd < 0)
		return -errno;
	w->plain = hd_map_pages(HD_PLAIN_BYTES);
	if (w->plain == NULL)
		return -ENOMEM;
	r = hd_xring_init(w, n_workers);
	return r < 0 ? r : w->ops->init(w, args->arg);
}

static void worker_free(struct hd_worker *w)
{
	w->ops->free(w);
	hd_heap_free(&w->module_timers);
	hd_unmap_pages(w->plain, HD_PLAIN_BYTES);
	hd_xring_free(w);
	if (w->wake_fd >= 0)
		close(w->wake_fd);
}

static void free_all(void)
{
	for (unsigned i = 0; i < n_workers; i++)
		worker_free(&workers[i]);
	n_workers = 0;
}

void hd_workers_free(void)
{
	free(workers);
	workers = NULL;
}

static int init_all(const struct hd_workers_args *args, struct hd_error *err)
{
	int r = 0;

	hd_workers_free(); /* of a start before; in unit tests */
	n_workers = hd_workers_wanted(args->conf);
	workers = calloc(n_workers, sizeof(*workers));
	if (workers == NULL) {
		n_workers = 0;
		return hd_error_set(err, -ENOMEM, "out of memory");
	}
	for (unsigned i = 0; i < n_workers; i++) {
		workers[i].ops = args->ops; /* all are freed, also these */
		workers[i].wake_fd = -1;
	}
	for (unsigned i = 0; i < n_workers && r == 0; i++) {
		r = worker_init(&workers[i], i, args);
		if (r < 0)
			hd_error_set(err, r,
				     "worker %u: out of memory or "
				     "descriptors",
				     i);
	}
	return r;
}

static int run_threads(bool parked, struct hd_error *err)
{
	/* static: a worker still looks at it after it was decided */
	static struct hd_worker_boot boot;
	unsigned started = 0;
	int r;

	boot = (struct hd_worker_boot){ 0 };
	pthread_mutex_init(&boot.lock, NULL);
	pthread_cond_init(&boot.change, NULL);
	while (started < n_workers) {
		workers[started].boot = &boot;
		if (parked)
			hd_park_first(&workers[started]);
		if (pthread_create(&workers[started].thread, NULL,
				   hd_worker_main, &workers[started]) != 0)
			break;
		started++;
	}
	r = boot_decide(&boot, started);
	if (r < 0) {
		for (unsigned i = 0; i < started; i++)
			pthread_join(workers[i].thread, NULL);
		hd_error_set(err, r, "%s", boot.err.text);
	} else if (parked) {
		hd_workers_wait_parked();
	}
	return r;
}

int hd_workers_start(const struct hd_workers_args *args, struct hd_error *err)
{
	int r = init_all(args, err);

	if (r == 0)
		r = run_threads(args->parked, err);
	if (r < 0)
		free_all();
	return r;
}

/* ---- stop ---- */

static void stop_here(struct hd_worker *w, void *arg)
{
	(void)arg;
	w->stopping = true;
}

void hd_workers_stop(void)
{
	if (n_workers == 0)
		return;
	hd_workers_run_all(stop_here, NULL);
	for (unsigned i = 0; i < n_workers; i++)
		pthread_join(workers[i].thread, NULL);
	free_all();
}
