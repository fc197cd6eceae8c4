/* SPDX-License-Identifier: MIT */
/* core/loop/worker_wait.c - how a worker sleeps, and who wakes it. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <unistd.h>
#include "core/base/clock.h"
#include "core/loop/inbox.h"
#include "core/loop/tag.h"
#include "core/loop/worker_wait.h"
#include "core/loop/xring.h"

void hd_worker_read_clock(struct hd_worker *w)
{
	w->now_ns = hd_clock_ns();
	w->now_ms = w->now_ns / 1000000;
}

/* Sleeper and waker both change `asleep`, one after the other: either the
 * waker finds it set, or the sleeper sees what was put before. */
void hd_worker_wake(struct hd_worker *w)
{
	uint64_t one = 1;

	if (__atomic_fetch_add(&w->asleep, 0, __ATOMIC_SEQ_CST) != 0 &&
	    write(w->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		hd_log_error("bug: eventfd: %m");
}

void hd_worker_woken(struct hd_worker *w, bool disarmed)
{
	uint64_t n;

	if (read(w->wake_fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		hd_log_error("bug: eventfd: %m");
	if (disarmed)
		w->ring_ops->watch(w->ring, w->wake_fd, HD_READY_IN,
				   hd_tag(HD_OP_WAKE, 0, 0));
}

static bool may_sleep(struct hd_worker *w)
{
	__atomic_exchange_n(&w->asleep, 1, __ATOMIC_SEQ_CST);
	return hd_inbox_empty(&w->inbox) && !hd_xring_any(w) &&
	       (!w->xfull || hd_xring_await(w));
}

/* A send that the kernel could not take whole is seen with the next event; its
 * write timeout must not wait for one for ever. */
#define UNSEEN_MS 200

static int sleep_ms(struct hd_worker *w, uint64_t due_ms)
{
	uint64_t next = HD_MIN(due_ms, hd_heap_next_ms(&w->module_timers));
	uint64_t most = w->stopping ? 10 : w->sent ? UNSEEN_MS : 3600000;

	if (w->more || next <= w->now_ms || !may_sleep(w))
		return 0;
	w->sent = false;
	if (next == UINT64_MAX && most == 3600000)
		return -1;
	return (int)HD_MIN(next - w->now_ms, most);
}

static void count_turn(struct hd_worker *w, uint64_t took_ns)
{
	hd_observe(&w->stats.turn_time, took_ns);
}

static void rest(struct hd_worker *w, int ms)
{
	uint64_t now_ns = hd_clock_ns(), took_ns = now_ns - w->now_ns;

	count_turn(w, took_ns);
	hd_pace_look(&w->pace, now_ns, w->conf->coalesce_us * 1000);
	w->ring_ops->wait(w->ring, ms, hd_pace_hold_ns(&w->pace, took_ns));
}

/* How long a turn took: who has no time to sleep reads the clock only once. */
void hd_worker_wait(struct hd_worker *w, uint64_t due_ms)
{
	uint64_t began_ns = w->now_ns;
	int ms = sleep_ms(w, due_ms);

	if (ms != 0)
		rest(w, ms);
	else
		w->ring_ops->wait(w->ring, 0, 0);
	__atomic_store_n(&w->asleep, 0, __ATOMIC_RELAXED);
	hd_worker_read_clock(w);
	if (ms == 0)
		count_turn(w, w->now_ns - began_ns);
}
