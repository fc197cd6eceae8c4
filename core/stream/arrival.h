/* SPDX-License-Identifier: MIT */
/* core/stream/arrival.h - the accept hooks: who may connect at all.
 * Context: the worker that took the connection. */
#pragma once
#include "core/loop/hooks.h"
#include "core/loop/worker.h"

struct hd_listener;

/* hd_arrival_ask - what hd_arrival_passes() does when there are hooks.
 * hd_arrival_passes - whether none of them denies. Counts and logs who may not.
 * @proxy  NULL: it came through none */
bool hd_arrival_ask(struct hd_worker *w, const struct hd_listener *l,
		    const union hd_addr *from, const union hd_addr *proxy);

static inline bool hd_arrival_passes(struct hd_worker *w,
				     const struct hd_listener *l,
				     const union hd_addr *from,
				     const union hd_addr *proxy)
{
	return w->hooks->accept.n == 0 || hd_arrival_ask(w, l, from, proxy);
}
