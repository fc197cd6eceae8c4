/* SPDX-License-Identifier: MIT */
/* core/loop/mainloop.h - what the main thread waits for: descriptors, and work
 * that other threads hand to it. Main thread, but for hd_main_post(). */
#pragma once
#include <hyper-derp/base.h>
#include "core/base/kind.h"

/* hd_main_init - returns 0; -errno. hd_main_free - posts that are left run.
 * hd_main_runs - between the two; in a process that tries a module's file it
 * never does. hd_main_assert - if it runs, this is its thread. */
int hd_main_init(void);
void hd_main_free(void);
bool hd_main_runs(void);
void hd_main_assert(void);

/* hd_main_watch - call fn when fd has one of the epoll(7) events, as long as
 * it has them. Again for the same fd: other events. 0: only errors.
 * hd_main_unwatch - before fd is closed; fn is not called any more.
 * Returns 0; -errno. */
typedef void hd_main_fn(void *arg, uint32_t events);
int hd_main_watch(int fd, uint32_t events, hd_main_fn *fn, void *arg);
void hd_main_unwatch(int fd);
bool hd_main_watched(int fd);

/* hd_main_turn - wait, at most timeout_ms (-1: for ever), and call: who
 * watches, then timers that are due. */
void hd_main_turn(int timeout_ms);

/* hd_main_post - run post->fn(post) on the main thread, soon, in order. Any
 * thread. The caller's struct is part of a larger one: nothing is allocated,
 * nothing can fail. Before hd_main_free() has returned. */
struct hd_main_post {
	struct hd_main_post *next;
	void (*fn)(struct hd_main_post *post);
};
void hd_main_post(struct hd_main_post *post);
/* hd_main_posts_run - those that are there, now. Main thread. */
void hd_main_posts_run(void);

/* ---- what modules have there: hyper-derp/mainloop.h ---- */

extern const struct hd_kind hd_main_timer_kind, hd_watch_kind;
uint64_t hd_main_timers_next_ms(void); /* UINT64_MAX: none is set */
void hd_main_timers_run(void);
void hd_main_timers_end(void);
