/* SPDX-License-Identifier: MIT */
/* hyper-derp/worker.h - the threads of the relay. Each has its own connections,
 * timers and counters; what belongs to one is used there only. */
#pragma once
#include <hyper-derp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* hd_workers - how many there are: 0 in load() when the relay starts, and in
 * unload() when it ends. hd_worker_at - one of them, 0..hd_workers() - 1; the
 * others' pointers are only for hd_post(). Any thread.
 * hd_worker_index - its number. */
HD_API unsigned hd_workers(void);
HD_API struct hd_worker *hd_worker_at(unsigned i);
HD_API unsigned hd_worker_index(const struct hd_worker *w);
/* hd_worker_self - NULL in the main and helper threads. */
HD_API struct hd_worker *hd_worker_self(void);
/* hd_worker_serving - whether new logins are welcome. */
HD_API bool hd_worker_serving(const struct hd_worker *w);

/* hd_now_ms - monotonic, read once per loop turn: costs nothing.
 * hd_now_ns - of the same clock, read now: to measure how long something takes,
 * for hd_observe() (metric.h). About 25 ns. Any thread. */
HD_API uint64_t hd_now_ms(const struct hd_worker *w);
HD_API uint64_t hd_now_ns(void);

#ifdef __cplusplus
}
#endif
