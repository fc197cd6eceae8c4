/* SPDX-License-Identifier: MIT */
/* modules/wg/plan.h - how the engine's start takes what load() registered. */
#pragma once
#include "modules/wg/engine.h"

/* wg_plan_first - in start(): what load() left, or NULL. From now on changes
 * are posted. wg_plan_stopped - in stop(): no more. wg_plan_forget - in
 * unload(): what nobody took. */
struct wg_plan *wg_plan_first(void);
void wg_plan_stopped(void);
void wg_plan_forget(void);
