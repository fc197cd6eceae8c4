/* SPDX-License-Identifier: MIT */
/* modules/wg/upgrade.h - what goes to a new process. */
#pragma once
#include <hyper-derp/upgrade.h>

struct wg_engine;

extern const struct hd_upgrade_def wg_upgrade;

/* upgrade_sums.c: what `hdctl wg show` has counted. */
void wg_sums_pack(const struct wg_engine *e, struct hd_pack *to);
void wg_sums_unpack(struct wg_engine *e, const struct hd_unpack *from);
