/* SPDX-License-Identifier: MIT */
/* core/loop/workers_park.c - all workers stand still between two turns, while
 * the main thread changes what they all use. For about a millisecond: what
 * clients send meanwhile waits in the kernel. */
#include <errno.h>
#include "core/loop/worker.h"

static struct hd_park {
	pthread_mutex_t lock;
	pthread_cond_t change;
	unsigned standing;
	/* an order to those that stand */
	unsigned orders, left;
	hd_ask_fn *fn;
	void *arg;
	bool over;
} park = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.change = PTHREAD_COND_INITIALIZER,
};

/* ---- in a worker ---- */

static void stand_soon(struct hd_worker *w, void *a, void *b)
{
	(void)a;
	(void)b;
	w->park = &park;
}

static void obey(struct hd_worker *w, struct hd_park *p)
{
	hd_ask_fn *fn = p->fn;
	void *arg = p->arg;

	pthread_mutex_unlock(&p->lock);
	if (fn != NULL)
		fn(w, arg);
	pthread_mutex_lock(&p->lock);
	if (--p->left == 0)
		pthread_cond_broadcast(&p->change);
}

void hd_worker_stand(struct hd_worker *w)
{
	struct hd_park *p = hd_steal(&w->park);

	pthread_mutex_lock(&p->lock);
	unsigned done = p->orders;

	p->standing++;
	pthread_cond_broadcast(&p->change);
	for (bool over = false; !over;) {
		while (p->orders == done)
			pthread_cond_wait(&p->change, &p->lock);
		done = p->orders;
		over = p->over;
		obey(w, p);
	}
	p->standing--;
	pthread_cond_broadcast(&p->change);
	pthread_mutex_unlock(&p->lock);
}

/* ---- main thread ---- */

static void wait_standing(unsigned n)
{
	pthread_mutex_lock(&park.lock);
	while (park.standing != n)
		pthread_cond_wait(&park.change, &park.lock);
	pthread_mutex_unlock(&park.lock);
}

int hd_workers_park(void)
{
	unsigned n = 0;

	park.over = false;
	while (n < hd_workers() &&
	       hd_worker_post(hd_worker_at(n), stand_soon, NULL, NULL) == 0)
		n++;
	wait_standing(n);
	if (n == hd_workers())
		return 0;
	hd_workers_unpark(NULL, NULL);
	return -ENOMEM;
}

/* With the lock held. */
static void give_order(hd_ask_fn *fn, void *arg)
{
	park.fn = fn;
	park.arg = arg;
	park.left = park.standing;
	park.orders++;
	pthread_cond_broadcast(&park.change);
	while (park.left > 0)
		pthread_cond_wait(&park.change, &park.lock);
}

void hd_workers_order(hd_ask_fn *fn, void *arg)
{
	pthread_mutex_lock(&park.lock);
	give_order(fn, arg);
	pthread_mutex_unlock(&park.lock);
}

void hd_workers_unpark(hd_ask_fn *fn, void *arg)
{
	pthread_mutex_lock(&park.lock);
	park.over = true;
	give_order(fn, arg);
	pthread_mutex_unlock(&park.lock);
	wait_standing(0);
}

static void nothing_here(struct hd_worker *w, void *arg)
{
	(void)w;
	(void)arg;
}

void hd_workers_settle(void)
{
	if (hd_workers() > 0 && park.standing == 0)
		hd_workers_ask(nothing_here, NULL);
}
