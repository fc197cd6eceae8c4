/* SPDX-License-Identifier: MIT */
/* core/loop/stats.h - the core's own numbers, per worker. The table that names
 * them is hd_core_metrics in core/loop/stats.c. */
#pragma once
#include "core/base/metric_table.h"

enum hd_drop { /* why a packet was dropped; two numbers each: other, disco */
	HD_DROP_QUEUE_HEAD,   /* the receiver does not keep up */
	HD_DROP_WRITE_ERROR,  /* its connection failed with it queued */
	HD_DROP_GONE,         /* the receiver is closing */
	HD_DROP_UNKNOWN_DEST, /* nobody has the key */
	HD_DROP_XFER_FULL,    /* the ring to another worker is full */
	HD_DROP_DENIED,       /* a packet hook said no */
	HD_DROP_N
};

enum hd_stat {
	HD_STAT_RECV_BYTES,
	HD_STAT_SEND_BYTES,
	HD_STAT_PACKETS_IN,
	HD_STAT_PACKETS_OUT,
	HD_STAT_ACCEPTS,
	HD_STAT_ACCEPT_PAUSES,
	HD_STAT_LOGINS,
	HD_STAT_LOGINS_DENIED,
	HD_STAT_MOVES,
	HD_STAT_SLOW_MOVES,
	HD_STAT_TLS_OK,
	HD_STAT_TLS_FAILED,
	HD_STAT_KTLS_REKEY,
	HD_STAT_RECV_PAUSED,
	HD_STAT_PEERS, /* gauge */
	HD_STAT_STREAMS, /* gauge */
	HD_STAT_GONE_BYTES, /* gauge: of the sets of who is owed a PeerGone */
	HD_STAT_GONE_FORGOTTEN,
	HD_STAT_LOGIN_TIME, /* histograms */
	HD_STAT_MOVE_TIME,
	HD_STAT_QUEUE_TIME,
	HD_STAT_TLS_TIME,
	HD_STAT_TURN_TIME,
	HD_STAT_DROPS, /* 2 * HD_DROP_N numbers */
	HD_STAT_CLOSES = HD_STAT_DROPS + 2 * HD_DROP_N, /* HD_CLOSE_N numbers */
	HD_STAT_N = HD_STAT_CLOSES + HD_CLOSE_N,
	HD_STAT_SIZE = HD_STAT_N + 5 * HD_HISTOGRAM_SIZE
};

extern const struct hd_metric hd_core_metrics[]; /* HD_STAT_N rows and an end */

static inline unsigned hd_stat_drop(enum hd_drop why, bool urgent)
{
	return HD_STAT_DROPS + 2 * why + urgent;
}
const char *hd_drop_text(enum hd_drop why);
