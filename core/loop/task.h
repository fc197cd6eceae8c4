/* SPDX-License-Identifier: MIT */
/* core/loop/task.h - the helper threads behind hd_task(). Main thread. */
#pragma once
#include <hyper-derp/module.h>
#include <hyper-derp/task.h>
#include "core/base/kind.h"
#include "core/loop/worker.h"

/* hd_tasks_start - hd_task() takes work from now on. hd_tasks_run - and it is
 * run: workers are there. The threads start with the first task. */
void hd_tasks_start(void);
void hd_tasks_run(void);
/* hd_tasks_stop - refuse new ones, run what is queued, for at most limit_ms;
 * while workers still run, so that done() reaches them. Then the rest is
 * dropped, and no worker is touched any more.
 * Returns whether all were run. */
bool hd_tasks_stop(unsigned limit_ms);

/* hd_task_offer - hd_task() without done, that leaves arg to the caller on
 * failure. Any thread. */
int hd_task_offer(struct hd_module *mod, hd_task_fn *work, void *arg,
		  hd_drop_fn *drop);

/* hd_task_core - the core's own: done(w, arg, NULL) in the worker afterwards,
 * else drop(arg); arg is taken, also on failure. Returns as hd_task(). */
int hd_task_core(struct hd_worker *w, hd_task_fn *work, hd_worker_fn *done,
		 void *arg, hd_drop_fn *drop);

/* hd_tasks_hold - tasks of the module are taken, and begin only after
 * hd_tasks_release(): all of its workers have started it.
 * hd_tasks_end - its tasks are refused, those that have not begun dropped.
 * Returns whether none runs. */
void hd_tasks_hold(struct hd_module *mod);
void hd_tasks_release(struct hd_module *mod);
bool hd_tasks_end(struct hd_module *mod);

/* None begins while mod->closing is set. */
extern const struct hd_kind hd_task_kind;
