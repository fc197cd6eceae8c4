/* SPDX-License-Identifier: MIT */
/* tools/hdbench/run_private.h - a run, for run.c and run_send.c only. */
#pragma once
#include "tools/hdbench/clock.h"
#include "tools/hdbench/run.h"

#define QUOTA 64 /* packets of one pair in a turn */

struct run {
	struct traffic *t;
	const struct run_conf *conf;
	struct run_result *res;
	uint32_t id;
	int64_t start_ns, from_ns, to_ns; /* the window: [from, to) */
	uint64_t scheduled; /* packets; the next one's number */
	uint64_t sent, received, in_window_sent, in_window, offered;
	int64_t idle_ns, now_ns, tick_ns, write_ns;
	struct run_cpu cpu[2]; /* at the window's ends */
	bool is_draining, has_sent; /* has_sent: in the last turn */
};

static inline bool in_window(const struct run *r, int64_t ns)
{
	return ns >= r->from_ns && ns < r->to_ns;
}

/* Of a whole burst: that of its first. */
static inline int64_t due_ns(const struct run *r, uint64_t k)
{
	uint64_t burst = r->t->net->opts->burst;

	return r->start_ns + (int64_t)((double)(k - k % burst) /
				       r->conf->rate_pps * (double)NS_PER_S);
}

/* ---- run_send.c ---- */
/* run_mark_dirty - a pair has something to send. run_closed - a peer has been.
 * run_pump_dirty - send. Returns whether there was anything. */
void run_mark_dirty(struct traffic *t, struct pair *pair);
void run_closed(struct run *r, struct peer *p);
bool run_pump_dirty(struct run *r);
