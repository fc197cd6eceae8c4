/* SPDX-License-Identifier: MIT */
/* core/loop/stats.h - the core's own numbers, per worker. The table that names
 * them is hd_core_metrics in core/loop/stats.c. */
#pragma once
#include "core/base/metric_table.h"

enum hd_drop { /* why a packet was dropped; two numbers each: other, disco */
	       HD_DROP_QUEUE_HEAD, /* the receiver does not keep up */
	       HD_DROP_WRITE_ERROR, /* its connection failed with it queued */
	       HD_DROP_GONE, /* the receiver is closing */
	       HD_DROP_UNKNOWN_DEST, /* nobody has the key */
	       HD_DROP_XFER_FULL, /* the ring to another worker is full */
	       HD_DROP_DENIED, /* a packet hook said no */
	       HD_DROP_UNKNOWN_FWD, /* another relay sent it, nobody has it */
	       HD_DROP_N
};

struct hd_stats {
	struct hd_counter recv_bytes, send_bytes, packets_in, packets_out;
	struct hd_counter accepts, accepts_denied, accept_pauses, proxy_refused;
	struct hd_counter address_refused;
	struct hd_counter logins, logins_denied;
	struct hd_counter moves, slow_moves, tls_ok, tls_failed, ktls_rekey;
	struct hd_counter key_hits, key_misses, key_evictions; /* each 2 s */
	struct hd_counter recv_paused, gone_forgotten, bbr;
	struct hd_counter share_waits[2]; /* enum hd_shared */
	struct hd_counter drops[HD_DROP_N][2]; /* 1: urgent */
	struct hd_counter closes[HD_CLOSE_N];
	struct hd_gauge peers, streams;
	struct hd_gauge gone_bytes; /* of the sets of who is owed a PeerGone */
	struct hd_gauge ws_part_bytes; /* messages that are not whole */
	struct hd_histogram login_time, move_time, queue_time, tls_time;
	struct hd_histogram turn_time;
};

extern const struct hd_metric hd_core_metrics[];

/* Also in snapshots for another process: a name keeps its meaning. */
extern const char *const hd_drop_names[HD_DROP_N];
const char *hd_drop_text(enum hd_drop why);
