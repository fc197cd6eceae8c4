/* SPDX-License-Identifier: MIT */
/* t/lib/bumped.c - a relay of the next version of snapshots, in all else this
 * one: what core/base/snap_version.c says is weak. */
#include "core/base/snap_format.h"

const uint32_t hd_snap_format = HD_SNAP_FORMAT + 1;
const uint32_t hd_snap_format_oldest = HD_SNAP_FORMAT;
