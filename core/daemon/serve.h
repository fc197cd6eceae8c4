/* SPDX-License-Identifier: MIT */
/* core/daemon/serve.h - the workers serve: start, reload, drain. What all
 * of them do, asked for by the main thread; what one does in a turn, and at its
 * end: core/daemon/turn.h. Main thread. */
#pragma once
#include <hyper-derp/base.h>

struct hd_conf;
struct hd_listener;
struct hd_ring_ops;
struct hd_tls_store;

/* hd_serve_start - threads that serve the listeners.
 * Returns when every worker has started its modules and accepts, or none has
 * (err says why). Borrows all of args until hd_workers_stop(). */
struct hd_serve_args {
	const struct hd_conf *conf;
	struct hd_tls_store *tls; /* may be NULL: no TLS listener */
	struct hd_listener *listeners;
	size_t n_listeners;
	/* workers stand parked until hd_serve_go(), for hd_upgrade_take() */
	bool parked;
};
int hd_serve_start(const struct hd_serve_args *args, struct hd_error *err);
void hd_serve_go(const struct hd_serve_args *args);
/* hd_serve_accept - false: who connects waits in the kernel. While workers
 * turn. */
void hd_serve_accept(bool on, const struct hd_serve_args *args);
/* hd_serve_check - whether this machine and this build have what workers
 * would be started with: event_backend (*ret_ops), tls.crypto. */
int hd_serve_check(const struct hd_conf *conf,
		   const struct hd_ring_ops **ret_ops, struct hd_error *err);

/* hd_serve_reload - swap configuration, hooks and TLS store in every worker;
 * returns after the last one has. hd_serve_tls - only the store, for fresh
 * connections. */
void hd_serve_reload(const struct hd_conf *conf, struct hd_tls_store *tls);
void hd_serve_tls(struct hd_tls_store *tls);

/* hd_serve_logins - false: the drain begins: new logins are refused, STUN
 * stops (modules' serving()), peers get `health` as Health text. */
void hd_serve_logins(bool on, const char *health);
/* hd_serve_drain - send Restarting, and close all peers quiet_ms later,
 * staggered over spread_ms.
 * hd_serve_drain_keep - who is not closed by then stays.
 * hd_serve_streams counts what is still open. */
void hd_serve_drain(uint32_t quiet_ms, uint32_t spread_ms);
void hd_serve_drain_keep(void);
unsigned hd_serve_streams(void);
