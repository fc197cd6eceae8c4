/* SPDX-License-Identifier: MIT */
/* core/loop/worker_run.h - between core/loop/workers.c and the threads it
 * starts. */
#pragma once
#include "core/loop/worker.h"

void *hd_worker_main(void *worker);

/* hd_boot_report - a worker says that it has begun (0) or why not, and waits
 * for the others. Returns 0: go; -ECANCELED: one of them failed. */
int hd_boot_report(struct hd_worker *w, int result,
		   const struct hd_error *err);

/* ---- between two turns: core/loop/worker_wait.c ---- */

/* hd_worker_wait - what was queued leaves; sleep until there is something to
 * do. Reads the clock. */
void hd_worker_wait(struct hd_worker *w);
/* hd_worker_woken - the event of hd_worker_wake(). */
void hd_worker_woken(struct hd_worker *w, bool disarmed);
bool hd_worker_has_input(const struct hd_worker *w);
void hd_worker_read_clock(struct hd_worker *w);
