/* SPDX-License-Identifier: MIT */
/* modules/wg/upgrade.h - what goes to a new process. */
#pragma once
#include <hyper-derp/upgrade.h>

extern const struct hd_upgrade_def wg_upgrade;
