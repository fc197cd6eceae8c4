/* SPDX-License-Identifier: MIT */
/* core/loop/workers.c - all workers: start, reload, drain, stop. The main
 * thread talks to them through their inboxes only. Context: main thread. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "core/base/key.h"
#include "core/loop/inbox.h"
#include "core/loop/worker_run.h"
#include "core/loop/xring.h"
#include "core/relay/peer.h"
#include "core/stream/accept.h"
#include "core/stream/stream_life.h"
#include "core/tls/aead.h"
#include "core/tls/ktls.h"

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

/* ---- a question to all, answered by each ---- */

struct round {
	pthread_mutex_t lock;
	pthread_cond_t done;
	unsigned left;
	hd_ask_fn *fn;
	void *arg;
};

static void round_answer(struct hd_worker *w, void *round, void *unused)
{
	struct round *r = round;

	(void)unused;
	r->fn(w, r->arg);
	pthread_mutex_lock(&r->lock);
	r->left--;
	pthread_cond_signal(&r->done);
	pthread_mutex_unlock(&r->lock);
}

void hd_workers_ask(hd_ask_fn *fn, void *arg)
{
	struct round r = { .left = n_workers, .fn = fn, .arg = arg };

	pthread_mutex_init(&r.lock, NULL);
	pthread_cond_init(&r.done, NULL);
	for (unsigned i = 0; i < n_workers; i++)
		if (hd_worker_post(&workers[i], round_answer, &r, NULL) < 0) {
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
	w->index = i;
	w->conf = args->conf;
	w->tls = args->tls;
	w->hooks = hd_modules_hooks();
	hd_inbox_init(&w->inbox);
	hd_metrics_init(w->stats, hd_core_metrics);
	w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->wake_fd < 0)
		return -errno;
	return hd_xring_init(w, n_workers);
}

static void free_all(void)
{
	for (unsigned i = 0; i < n_workers; i++) {
		hd_modules_free(&workers[i]);
		hd_xring_free(&workers[i]);
		if (workers[i].wake_fd >= 0)
			close(workers[i].wake_fd);
	}
	n_workers = 0;
}

void hd_workers_free(void)
{
	free(workers);
	workers = NULL;
}

static int init_all(const struct hd_workers_args *args, struct hd_error *err)
{
	const struct hd_ring_ops *ops;
	int r = hd_workers_check(args->conf, &ops, err);

	if (r < 0)
		return r;
	hd_workers_free(); /* of a start before; in unit tests */
	n_workers = hd_workers_wanted(args->conf);
	workers = calloc(n_workers, sizeof(*workers));
	if (workers == NULL) {
		n_workers = 0;
		return hd_error_set(err, -ENOMEM, "out of memory");
	}
	hd_aead_log();
	unsigned ktls = args->tls != NULL ? hd_ktls_directions(args->conf) : 0;

	for (unsigned i = 0; i < n_workers; i++)
		workers[i].wake_fd = -1;
	for (unsigned i = 0; i < n_workers; i++) {
		r = worker_init(&workers[i], i, args);
		if (r < 0)
			return hd_error_set(err, r, "worker %u: out of "
					    "memory or descriptors", i);
		workers[i].ring_ops = ops;
		workers[i].ktls = ktls;
	}
	hd_key_hash_seed();
	return 0;
}

static void start_serving(struct hd_worker *w, void *arg)
{
	(void)arg;
	__atomic_store_n(&w->serving, true, __ATOMIC_RELAXED);
	hd_modules_serving(w, true);
}

static void start_accepting(struct hd_worker *w, void *arg)
{
	const struct hd_workers_args *a = arg;

	if (hd_accept_start(w, a->listeners, a->n_listeners) < 0)
		hd_log_error("worker %u cannot accept: out of memory",
			     w->index);
}

static int run_threads(struct hd_error *err)
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
	}
	return r;
}

int hd_workers_start(const struct hd_workers_args *args, struct hd_error *err)
{
	struct hd_workers_args copy = *args;
	int r = init_all(args, err);

	if (r == 0)
		r = run_threads(err);
	if (r < 0) {
		free_all();
		return r;
	}
	/* First all serve, then all accept: a login may move to any worker.
	 * After the first round none is in boot any more. */
	hd_workers_ask(start_serving, NULL);
	hd_workers_ask(start_accepting, &copy);
	return 0;
}

/* ---- reload ---- */

struct reload {
	const struct hd_conf *conf;
	struct hd_tls_store *tls;
};

static void reload_here(struct hd_worker *w, void *arg)
{
	const struct reload *r = arg;

	w->conf = r->conf;
	w->tls = r->tls;
	w->hooks = hd_modules_hooks();
	hd_modules_changed(w, r->conf);
}

void hd_workers_reload(const struct hd_conf *conf, struct hd_tls_store *tls)
{
	struct reload r = { conf, tls };

	hd_workers_ask(reload_here, &r);
}

static void use_tls_here(struct hd_worker *w, void *tls)
{
	w->tls = tls;
}

void hd_workers_use_tls(struct hd_tls_store *tls)
{
	hd_workers_ask(use_tls_here, tls);
}

/* ---- drain ---- */

static void serving_here(struct hd_worker *w, void *arg)
{
	const bool *on = arg;

	__atomic_store_n(&w->serving, *on, __ATOMIC_RELAXED);
	hd_modules_serving(w, *on);
}

static void health_here(struct hd_worker *w, void *arg)
{
	for (struct hd_stream *s = w->streams; s != NULL; s = s->next) {
		const struct hd_peer_ops *ops = hd_peer_ops_of(s);

		if (ops != NULL && ops->health != NULL)
			ops->health(s->peer, arg);
	}
}

void hd_workers_serving(bool on, const char *health)
{
	/* Who has read why may rely on it, whichever worker answers. */
	hd_workers_ask(serving_here, &on);
	hd_workers_ask(health_here, (void *)(health != NULL ? health : ""));
}

/* Peers get told when to come back, a little later than they are closed, and
 * are closed one after another: a reconnecting crowd is spread out. */
static void drain_here(struct hd_worker *w, void *arg)
{
	uint32_t spread_ms = *(const uint32_t *)arg;
	uint64_t i = 0, n = HD_MAX(1u, w->n_streams);

	for (struct hd_stream *s = w->streams; s != NULL; s = s->next, i++) {
		const struct hd_peer_ops *ops = hd_peer_ops_of(s);
		uint32_t at_ms = (uint32_t)(spread_ms * i / n) + 1;

		if (ops != NULL && ops->drain != NULL)
			ops->drain(s->peer, at_ms, 2 * spread_ms + 10000);
		hd_stream_deadline(s, HD_DEADLINE_DRAIN, at_ms);
	}
}

void hd_workers_drain_close(uint32_t spread_ms)
{
	hd_workers_ask(drain_here, &spread_ms);
}

static void keep_here(struct hd_worker *w, void *arg)
{
	(void)arg;
	for (struct hd_stream *s = w->streams; s != NULL; s = s->next)
		hd_stream_deadline(s, HD_DEADLINE_DRAIN, 0);
}

void hd_workers_drain_keep(void)
{
	hd_workers_ask(keep_here, NULL);
}

unsigned hd_workers_streams(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < n_workers; i++)
		n += (unsigned)__atomic_load_n(
			&workers[i].stats[HD_STAT_STREAMS], __ATOMIC_RELAXED);
	return n;
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
	hd_workers_ask(stop_here, NULL);
	for (unsigned i = 0; i < n_workers; i++)
		pthread_join(workers[i].thread, NULL);
	free_all();
}
