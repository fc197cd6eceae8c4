/* SPDX-License-Identifier: MIT */
/* hyper-derp/timer.h - timers of a module in a worker. For a stream use
 * hd_stream_timer(). Context: the worker. */
#pragma once
#include <hyper-derp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* hd_timer - one timer. hd_timer_fn - what it calls, in its worker. */
struct hd_timer;
typedef void hd_timer_fn(struct hd_module *mod, struct hd_worker *w, void *arg);

/* hd_timer_new - owned by the module: the core frees it after stop().
 * Returns NULL when out of memory. */
HD_API struct hd_timer *hd_timer_new(struct hd_module *mod,
				     struct hd_worker *w, hd_timer_fn *fn,
				     void *arg);
/* hd_timer_set - run once in delay_ms; 0 cancels. Replaces an earlier time.
 * Cannot fail.
 * hd_timer_free - before stop(); also in its own callback. NULL is nothing. */
HD_API void hd_timer_set(struct hd_timer *timer, uint32_t delay_ms);
HD_API void hd_timer_free(struct hd_timer **timer);

#ifdef __cplusplus
}
#endif
