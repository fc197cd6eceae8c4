/* SPDX-License-Identifier: MIT */
/* core/stream/accept.h - a worker's side of the listeners. */
#pragma once
#include "core/base/kind.h"
#include "core/loop/worker.h"

struct hd_acceptor;
struct hd_listener;
struct hd_proto;

/* hd_accept_start - arm every listener; what comes speaks `first`. Returns 0;
 * -errno. Those of modules are armed and let go of as they come and go. */
int hd_accept_start(struct hd_worker *w, struct hd_listener *v, size_t n,
		    const struct hd_proto *first);
extern const struct hd_kind hd_accept_kind;
void hd_accept_on_ready(struct hd_worker *w, struct hd_acceptor *a,
			bool disarmed);
/* hd_accept_run - take what waits. Returns whether more does. */
bool hd_accept_run(struct hd_worker *w);
void hd_accept_stop(struct hd_worker *w);
/* hd_accept_options - of the socket of any connection; a listener's are
 * inherited. hd_accept_congestion - of a connection's alone: a listener goes on
 * in the next process, which may have another one, or none. */
void hd_accept_options(int fd, const struct hd_conf *conf);
void hd_accept_congestion(int fd, const struct hd_conf *conf);
