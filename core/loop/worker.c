/* SPDX-License-Identifier: MIT */
/* core/loop/worker.c - a worker's thread. What it does in a turn it is told
 * (struct hd_worker_ops); all it knows is how to begin, to go on until it is to
 * stop, and to be parked in between (workers_park.c).
 * Sleeping and waking: worker_wait.c; starting and stopping all of them:
 * workers.c. */
#include <hyper-derp/log.h>
#include <hyper-derp/worker.h>
#include <sched.h>
#include <stdlib.h>
#include "core/loop/tag.h"
#include "core/loop/worker_run.h"
#include "core/loop/worker_wait.h"

static __thread struct hd_worker *self;

struct hd_worker *hd_worker_self(void)
{
	return self;
}

uint64_t hd_now_ms(const struct hd_worker *w)
{
	return w->now_ms;
}

static void pin(const struct hd_worker *w)
{
	const struct hd_list *cores = &w->conf->pin_cores;
	cpu_set_t set;

	if (cores->n == 0)
		return;
	int cpu = atoi(cores->v[w->index % cores->n]);

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		hd_log_warn("worker %u is not pinned to CPU %d: %m", w->index,
			    cpu);
}

static int open_ring(struct hd_worker *w, struct hd_error *err)
{
	int r = w->ring_ops->open(w->conf, &w->ring, err);

	if (r < 0)
		return r;
	r = w->ring_ops->watch(w->ring, w->wake_fd, HD_READY_IN,
			       hd_tag(HD_OP_WAKE, 0, 0));
	return r < 0 ? hd_error_set(err, r, "eventfd cannot be watched") : 0;
}

static int begin(struct hd_worker *w, struct hd_error *err)
{
	int r;

	pin(w);
	hd_worker_read_clock(w);
	r = open_ring(w, err);
	return r < 0 ? r : w->ops->begin(w, err);
}

static void run(struct hd_worker *w)
{
	hd_log_notice("worker %u started (%s)", w->index, w->ring_ops->name);
	while (!w->stopping) {
		if (w->park != NULL) /* also before the first turn */
			hd_worker_park(w);
		w->ops->turn(w);
	}
}

void *hd_worker_main(void *arg)
{
	struct hd_worker *w = arg;
	struct hd_error err = { "" };
	int r;

	self = w;
	r = begin(w, &err);
	if (hd_boot_report(w, r, &err) == 0)
		run(w);
	w->stopping = true; /* also where another one could not begin */
	w->ops->end(w, r == 0);
	/* before the memory goes that the kernel sends from */
	w->ring_ops->close(&w->ring);
	return NULL;
}
