/* SPDX-License-Identifier: MIT */
/* core/worker.h - a worker: one thread, one ring, its timers, its inbox.
 * Nothing in a worker blocks; nothing on the packet path allocates or locks. */
#pragma once
#include <hyper-derp/module.h>
#include "core/conf.h"

struct hd_tls_store;
struct hd_listener;

/* hd_workers_start - threads that serve the listeners. Main thread.
 * Returns when every worker has started its modules and accepts, or none has
 * (err says why). Borrows conf and listeners until hd_workers_stop(). */
struct hd_workers_args {
	const struct hd_conf *conf;
	struct hd_tls_store *tls; /* may be NULL: no TLS listener */
	struct hd_listener *listeners;
	size_t n_listeners;
};
int hd_workers_start(const struct hd_workers_args *args, struct hd_error *err);

/* hd_workers_reload - swap configuration, hooks and TLS store in every worker;
 * returns after the last one has. Main thread. */
void hd_workers_reload(const struct hd_conf *conf, struct hd_tls_store *tls);

/* hd_workers_serving - false: the drain begins: new logins are refused, STUN
 * stops (modules' serving()), peers get `health` as Health text. */
void hd_workers_serving(bool on, const char *health);
/* hd_workers_drain_close - send Restarting and close all peers, staggered over
 * spread_ms. hd_workers_streams counts what is still open. */
void hd_workers_drain_close(uint32_t spread_ms);
unsigned hd_workers_streams(void);

/* hd_workers_stop - fast: flush what can be flushed at once, close, stop the
 * modules, join. Returns within about a second. */
void hd_workers_stop(void);

/* hd_worker_post - run fn(w, a, b) in worker w, soon, in order. Any thread. */
typedef void hd_worker_fn(struct hd_worker *w, void *a, void *b);
int hd_worker_post(struct hd_worker *w, hd_worker_fn *fn, void *a, void *b);
