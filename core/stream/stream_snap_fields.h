/* SPDX-License-Identifier: MIT */
/* core/stream/stream_snap_fields.h - for stream_snap.c, which writes them, and
 * stream_adopt.c, which reads them. */
#pragma once
#include "core/base/snap_format.h"
#include "core/stream/stream.h"

enum { /* HD_SNAP_STREAM_FLAGS */
       HD_STREAM_RX_EOF = 1,
       HD_STREAM_RX_HUP = 2,
       HD_STREAM_RX_HELD = 4,
       HD_STREAM_RX_PAUSED = 8,
       HD_STREAM_TRUSTED = 16,
       HD_STREAM_TLS = 32,
       HD_STREAM_FLAGS_ALL = 63,
};

#define HD_STREAM_FIELDS 10
/* Names of places, which they keep for ever. hd_queue_names - the lanes, and
 * `flight` behind them. */
extern const char *const hd_deadline_names[HD_DEADLINES];
extern const char *const hd_queue_names[HD_LANE_N + 1];
extern const struct hd_snap_field hd_stream_fields[HD_STREAM_FIELDS];
