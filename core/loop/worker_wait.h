/* SPDX-License-Identifier: MIT */
/* core/loop/worker_wait.h - between two turns. Context: the worker. */
#pragma once
#include "core/loop/worker.h"

/* hd_worker_wait - what was queued leaves; sleep until there is something to
 * do. Reads the clock.
 * @due_ms  when that is, as far as the caller knows: a time as w->now_ms is; 0:
 *          now; UINT64_MAX: nothing is due */
void hd_worker_wait(struct hd_worker *w, uint64_t due_ms);
/* hd_worker_woken - the event of hd_worker_wake(). */
void hd_worker_woken(struct hd_worker *w, bool disarmed);
void hd_worker_read_clock(struct hd_worker *w);
