/* SPDX-License-Identifier: MIT */
/* core/stream/accept.h - a worker's side of the listeners. */
#pragma once
#include "core/loop/worker.h"

struct hd_acceptor;
struct hd_listener;

/* hd_accept_start - arm every listener; what comes speaks `first`. Returns 0;
 * -errno.
 * hd_accept_sync - those of modules: arm what was opened since, let go of what
 * was left. While the main thread waits. */
int hd_accept_start(struct hd_worker *w, struct hd_listener *v, size_t n,
		    const struct hd_proto *first);
int hd_accept_sync(struct hd_worker *w);
void hd_accept_on_ready(struct hd_worker *w, struct hd_acceptor *a,
			bool disarmed);
/* hd_accept_run - take what waits. Returns whether more does. */
bool hd_accept_run(struct hd_worker *w);
void hd_accept_stop(struct hd_worker *w);
