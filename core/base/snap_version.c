/* SPDX-License-Identifier: MIT */
/* core/base/snap_version.c - which versions of snapshots this binary writes and
 * reads. Weak: t/lib/bumped.c makes a relay of the next version. */
#include "core/base/snap_format.h"

const uint32_t __attribute__((weak)) hd_snap_format = HD_SNAP_FORMAT;
const uint32_t __attribute__((weak)) hd_snap_format_oldest =
	HD_SNAP_FORMAT_OLDEST;
