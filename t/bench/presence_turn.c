/* SPDX-License-Identifier: MIT */
/* t/bench/presence_turn.c - how long the longest turn of a worker is in which
 * it tells another relay who is here: 10,000 keys of one home, and a watcher,
 * by CPU time of its thread, which a busy machine lengthens little. For
 * instructions, one file for each turn:
 *   valgrind --tool=callgrind --toggle-collect=turn --dump-after=turn
 *     --callgrind-out-file=out build/t/bench/presence_turn 1
 *   grep -h ^summary: out.* | sort -n -k 2 | tail -1 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "core/loop/worker.h"
#include "t/unit/presence_help.h"

static const struct hd_worker_ops *was;
static struct hd_worker_ops ops;
static struct {
	unsigned n;
	uint64_t sum_ns, longest_ns;
} turns;

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void turn(struct hd_worker *w)
{
	uint64_t begin_ns = cpu_ns(), ns;

	was->turn(w);
	ns = cpu_ns() - begin_ns;
	turns.n++;
	turns.sum_ns += ns;
	turns.longest_ns = HD_MAX(turns.longest_ns, ns);
}

static void measure(struct hd_worker *w, void *ret, void *unused)
{
	(void)unused;
	was = w->ops;
	ops = *was;
	ops.turn = turn;
	w->ops = &ops;
	*(int *)ret = 0;
}

static bool all_told(void)
{
	return as_they_are();
}

static void round_of(unsigned i)
{
	for (unsigned k = 0; k < KEYS; k++)
		keys[k].present = false;
	memset(&turns, 0, sizeof(turns));
	begin_watching();
	read_until(all_told);
	printf("%u: %d keys told in %u turns: mean %.1f us, longest %.1f us\n",
	       i, KEYS, turns.n, (double)turns.sum_ns / turns.n / 1000,
	       (double)turns.longest_ns / 1000);
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 10;

	workers_conf.write_timeout_ms = 600000;
	if (workers_start(1) < 0 || watcher_make(NULL) < 0)
		return 1;
	for (unsigned i = 0; i < KEYS; i++) {
		make(&keys[i], i, WATCHED);
		post(&keys[i], up);
	}
	in_worker(measure);
	for (unsigned i = 1; i <= rounds; i++)
		round_of(i);
	hd_workers_stop();
	return 0;
}
