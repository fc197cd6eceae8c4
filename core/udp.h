/* SPDX-License-Identifier: MIT */
/* core/udp.h - the core's side of hyper-derp/datagram.h. */
#pragma once
#include "core/worker.h"

void hd_udp_on_ready(struct hd_worker *w, struct hd_udp *udp, bool disarmed);
/* hd_udps_run - receive from those that are readable. Returns whether one has
 * more. hd_udps_flush - send what was queued. */
bool hd_udps_run(struct hd_worker *w);
void hd_udps_flush(struct hd_worker *w);
/* hd_udps_close - those of a module, or all (NULL). */
void hd_udps_close(struct hd_worker *w, const struct hd_module *mod);
