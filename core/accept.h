/* SPDX-License-Identifier: MIT */
/* core/accept.h - a worker's side of the listeners. */
#pragma once
#include "core/worker.h"

/* hd_accept_start - arm every listener. Returns 0; -errno. */
int hd_accept_start(struct hd_worker *w, struct hd_listener *v, size_t n);
void hd_accept_on_ready(struct hd_worker *w, uint32_t slot, bool disarmed);
/* hd_accept_run - take what waits. Returns whether more does. */
bool hd_accept_run(struct hd_worker *w);
void hd_accept_stop(struct hd_worker *w);
