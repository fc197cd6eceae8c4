/* SPDX-License-Identifier: MIT */
/* hyper-derp/task.h - work for another thread: a worker, or a helper that may
 * block. */
#pragma once
#include <hyper-derp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* hd_post_fn - called in worker w. @arg  its own now: it frees that. */
typedef void hd_post_fn(struct hd_module *mod, struct hd_worker *w, void *arg);
/* hd_drop_fn - releases what was to be handed over; free() is one. It may run
 * in any thread: it does no more than that. */
typedef void hd_drop_fn(void *arg);

/* hd_post - run fn(mod, w, arg) in worker w, soon, in order. Any thread.
 * What was accepted runs between start() and stop() of the module in that
 * worker: it waits for start(), and stop() comes after the last one. From
 * stop() on, and before the workers start the module, posts are refused.
 * @w    hd_relay_home() finds the one for a key; NULL is refused
 * @arg  taken, also on failure: either fn or drop gets it, exactly once. drop
 *       when the post is refused, or start() fails in that worker
 * @drop  may be NULL
 * Returns 0; -ENOMEM; -ESHUTDOWN the module does not run in that worker. */
HD_API int hd_post(struct hd_module *mod, struct hd_worker *w, hd_post_fn *fn,
		   void *arg, hd_drop_fn *drop);
/* hd_task_fn - blocking work, in a helper thread. */
typedef void hd_task_fn(struct hd_module *mod, void *arg);

/* hd_task - blocking work: run work(mod, arg) in a helper thread, then
 * done(mod, w, arg) back in worker w, as hd_post() does. Any thread.
 * - Tasks of load() and start() begin when the module has started in every
 *   worker.
 * - An unload or a reload waits for tasks: up to 5 s, then it is refused.
 * - The end of the relay waits 1 s. Then tasks that have not begun are dropped,
 *   and done is not called any more. After 5 s the relay ends without unload()
 *   of the module.
 * @work  uses arg alone, nothing of a worker
 * @w     NULL: in no worker, without done
 * @done  may be NULL: then work is the last that has arg, and frees it
 * @arg   taken, also on failure. done frees it, or work where there is no done.
 *        drop gets it instead when that one cannot be called
 * @drop  may be NULL
 * Returns 0; -ENOMEM; -EBUSY too many wait, or the module is about to go;
 * -ESHUTDOWN the relay ends. */
HD_API int hd_task(struct hd_module *mod, struct hd_worker *w, hd_task_fn *work,
		   hd_post_fn *done, void *arg, hd_drop_fn *drop);

#ifdef __cplusplus
}
#endif
