/* SPDX-License-Identifier: MIT */
/* core/loop/timer.h - the core's side of hyper-derp/timer.h. */
#pragma once
#include <hyper-derp/timer.h>
#include "core/base/kind.h"

void hd_timers_run(struct hd_worker *w);
/* hd_timers_n - a module's, set or not. */
unsigned hd_timers_n(const struct hd_worker *w, const struct hd_module *mod);
/* hd_timers_free - a module's. They end with its stop(): hd_timer_kind. */
void hd_timers_free(struct hd_worker *w, struct hd_module *mod);
extern const struct hd_kind hd_timer_kind;
