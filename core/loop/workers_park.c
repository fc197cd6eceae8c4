/* SPDX-License-Identifier: MIT */
/* core/loop/workers_park.c - all workers are parked between two turns, while
 * the main thread changes what they all use. For about a millisecond: what
 * clients send meanwhile waits in the kernel. */
#include <hyper-derp/worker.h>
#include <errno.h>
#include "core/loop/worker.h"

static struct hd_park {
	pthread_mutex_t lock;
	pthread_cond_t change;
	unsigned parked;
	/* a function that each of those runs */
	unsigned rounds, left;
	hd_run_fn *fn;
	void *arg;
	bool over;
} park = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.change = PTHREAD_COND_INITIALIZER,
};

/* ---- in a worker ---- */

static void park_soon(struct hd_worker *w, void *a, void *b)
{
	(void)a;
	(void)b;
	w->park = &park;
}

void hd_park_first(struct hd_worker *w)
{
	park.over = false;
	w->park = &park;
}

static void run_round(struct hd_worker *w, struct hd_park *p)
{
	hd_run_fn *fn = p->fn;
	void *arg = p->arg;

	pthread_mutex_unlock(&p->lock);
	if (fn != NULL)
		fn(w, arg);
	pthread_mutex_lock(&p->lock);
	if (--p->left == 0)
		pthread_cond_broadcast(&p->change);
}

void hd_worker_park(struct hd_worker *w)
{
	struct hd_park *p = hd_steal(&w->park);

	pthread_mutex_lock(&p->lock);
	unsigned done = p->rounds;

	p->parked++;
	pthread_cond_broadcast(&p->change);
	for (bool over = false; !over;) {
		while (p->rounds == done)
			pthread_cond_wait(&p->change, &p->lock);
		done = p->rounds;
		over = p->over;
		run_round(w, p);
	}
	p->parked--;
	pthread_cond_broadcast(&p->change);
	pthread_mutex_unlock(&p->lock);
}

/* ---- main thread ---- */

static void wait_parked(unsigned n)
{
	pthread_mutex_lock(&park.lock);
	while (park.parked != n)
		pthread_cond_wait(&park.change, &park.lock);
	pthread_mutex_unlock(&park.lock);
}

void hd_workers_wait_parked(void)
{
	wait_parked(hd_workers());
}

int hd_workers_park(void)
{
	unsigned n = 0;

	park.over = false;
	while (n < hd_workers() &&
	       hd_worker_post(hd_worker_at(n), park_soon, NULL, NULL) == 0)
		n++;
	wait_parked(n);
	if (n == hd_workers())
		return 0;
	hd_workers_unpark(NULL, NULL);
	return -ENOMEM;
}

/* With the lock held. */
static void run_in_each(hd_run_fn *fn, void *arg)
{
	park.fn = fn;
	park.arg = arg;
	park.left = park.parked;
	park.rounds++;
	pthread_cond_broadcast(&park.change);
	while (park.left > 0)
		pthread_cond_wait(&park.change, &park.lock);
}

void hd_workers_run_parked(hd_run_fn *fn, void *arg)
{
	pthread_mutex_lock(&park.lock);
	run_in_each(fn, arg);
	pthread_mutex_unlock(&park.lock);
}

void hd_workers_unpark(hd_run_fn *fn, void *arg)
{
	pthread_mutex_lock(&park.lock);
	park.over = true;
	run_in_each(fn, arg);
	pthread_mutex_unlock(&park.lock);
	wait_parked(0);
}

static void nothing_here(struct hd_worker *w, void *arg)
{
	(void)w;
	(void)arg;
}

void hd_workers_quiesce(void)
{
	if (hd_workers() > 0 && park.parked == 0)
		hd_workers_run_all(nothing_here, NULL);
}
