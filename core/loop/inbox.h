/* SPDX-License-Identifier: MIT */
/* core/loop/inbox.h - work that other threads hand to a worker. */
#pragma once
#include "core/loop/worker.h"

void hd_inbox_init(struct hd_inbox *inbox);
bool hd_inbox_empty(struct hd_inbox *inbox);
/* hd_inbox_run - everything that was there when called, in order. In a post,
 * too: then those behind it run before it goes on. */
void hd_inbox_run(struct hd_worker *w);
/* hd_inbox_shut - run what is left and refuse what comes. */
void hd_inbox_shut(struct hd_worker *w);

/* hd_inbox_phase - what posts of a module do from now on. In the worker, or in
 * the main thread before it runs and after it has ended.
 * hd_inbox_close - no post of the module comes any more; those that were taken
 * have run when this returns, or are dropped, where it has not started. */
void hd_inbox_phase(struct hd_worker *w, const struct hd_module *mod,
		    enum hd_module_phase phase);
void hd_inbox_close(struct hd_worker *w, const struct hd_module *mod);

/* hd_inbox_offer - hd_post() that leaves arg to the caller on failure. */
int hd_inbox_offer(struct hd_module *mod, struct hd_worker *w, hd_post_fn *fn,
		   void *arg, hd_drop_fn *drop);

static inline void hd_drop(hd_drop_fn *drop, void *arg)
{
	if (drop != NULL)
		drop(arg);
}
