/* SPDX-License-Identifier: MIT */
/* hyper-derp/task.h - work for another thread: a worker, or a helper that may
 * block. */
#pragma once
#include <hyper-derp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* hd_post - run fn(mod, w, arg) in worker w, soon, in order. Any thread.
 * Returns 0; -ENOMEM; -ESHUTDOWN when the worker has ended. */
typedef void hd_post_fn(struct hd_module *mod, struct hd_worker *w, void *arg);
HD_API int hd_post(struct hd_module *mod, struct hd_worker *w, hd_post_fn *fn,
		   void *arg);

/* hd_task - blocking work: run work(arg) in a helper thread, then
 * done(mod, w, arg) back in worker w (NULL: in no worker, done is not called).
 * Returns 0; -ENOMEM; -EBUSY when too many wait. */
HD_API int hd_task(struct hd_module *mod, struct hd_worker *w,
		   void (*work)(void *arg), hd_post_fn *done, void *arg);

#ifdef __cplusplus
}
#endif
