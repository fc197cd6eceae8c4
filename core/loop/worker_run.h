/* SPDX-License-Identifier: MIT */
/* core/loop/worker_run.h - between core/loop/workers.c and the threads it
 * starts. */
#pragma once
#include "core/loop/worker.h"

void *hd_worker_main(void *worker);

/* hd_boot_report - a worker says that it has begun (0) or why not, and waits
 * for the others. Returns 0: go; -ECANCELED: one of them failed. */
int hd_boot_report(struct hd_worker *w, int result, const struct hd_error *err);
