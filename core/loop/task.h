/* SPDX-License-Identifier: MIT */
/* core/loop/task.h - the two helper threads behind hd_task(). Main thread. */
#pragma once
#include <hyper-derp/module.h>
#include "core/base/kind.h"

/* hd_tasks_start - hd_task() works from now on; the threads start with the
 * first task. */
void hd_tasks_start(void);
/* hd_tasks_stop - refuse new ones, run what is queued, for at most limit_ms;
 * while workers still run, so that done() reaches them.
 * Returns whether all were run; the rest is lost, with its memory. */
bool hd_tasks_stop(unsigned limit_ms);

/* None begins while mod->closing is set. */
extern const struct hd_kind hd_task_kind;
