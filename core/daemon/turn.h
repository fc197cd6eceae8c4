/* SPDX-License-Identifier: MIT */
/* core/daemon/turn.h - what a worker does: the rooms that it has below it, in
 * one order, turn by turn. The loop (core/loop/worker.h) knows none of them; it
 * calls this table. */
#pragma once
#include "core/loop/worker.h"

struct hd_turn_args { /* of hd_workers_start(); until all have begun */
	struct hd_tls_store *tls;
	unsigned ktls; /* HD_KTLS_ directions for fresh connections */
};

extern const struct hd_worker_ops hd_turn_ops;

/* ---- between core/daemon/turn.c and turn_life.c ---- */

/* hd_turn - one turn. */
void hd_turn(struct hd_worker *w);

/* hd_turn_settle - while the worker is parked: what was under way to the kernel
 * and between workers comes to its end, what is queued is sent; nothing is read
 * from a socket, no timer runs. Returns whether there was any. */
bool hd_turn_settle(struct hd_worker *w);

int hd_turn_init(struct hd_worker *w, const void *args);
/* hd_turn_end - peers are told to come back, what can be sent at once is sent,
 * all is closed, within about a second. */
void hd_turn_end(struct hd_worker *w, bool begun);
void hd_turn_free(struct hd_worker *w);
