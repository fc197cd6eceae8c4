/* SPDX-License-Identifier: MIT */
/* core/loop/stats.c - names of the core's numbers. Those of the predecessor's
 * metrics are kept where they mean the same. */
#include "core/loop/stats.h"

#define COUNTER(id, n, h)                                                      \
	[id] = { .name = n, .help = h, .kind = HD_METRIC_COUNTER }
#define GAUGE(id, n, h) [id] = { .name = n, .help = h, .kind = HD_METRIC_GAUGE }
#define TIMES(id, n, h)                                                        \
	[id] = { .name = n, .help = h, .kind = HD_METRIC_HISTOGRAM }
#define DROP_NAME "hyper_derp_send_drops_total"
#define DROP_HELP "Packets dropped, by reason and kind"
#define DROP(id, reason)                                                       \
	[HD_STAT_DROPS + 2 * (id)] = { DROP_NAME,                              \
				       "reason=\"" reason "\",kind=\"other\"", \
				       DROP_HELP, HD_METRIC_COUNTER },         \
			     [HD_STAT_DROPS + 2 * (id) +                       \
				     1] = { DROP_NAME,                         \
					    "reason=\"" reason                 \
					    "\",kind=\"disco\"",               \
					    DROP_HELP, HD_METRIC_COUNTER }
#define CLOSED(id, why)                                                        \
	[HD_STAT_CLOSES +                                                      \
		(id)] = { "hyper_derp_closes_total", "reason=\"" why "\"",     \
			  "Connections closed, by reason", HD_METRIC_COUNTER }

const struct hd_metric hd_core_metrics[] = {
	COUNTER(HD_STAT_RECV_BYTES, "hyper_derp_recv_bytes_total",
		"Plaintext bytes received"),
	COUNTER(HD_STAT_SEND_BYTES, "hyper_derp_send_bytes_total",
		"Bytes the kernel took for sending"),
	COUNTER(HD_STAT_PACKETS_IN, "hyper_derp_recv_packets_total",
		"Packets that peers sent to keys"),
	COUNTER(HD_STAT_PACKETS_OUT, "hyper_derp_send_packets_total",
		"Packets handed to their receivers' output"),
	COUNTER(HD_STAT_ACCEPTS, "hyper_derp_accepts_total",
		"Connections accepted"),
	COUNTER(HD_STAT_ACCEPT_PAUSES, "hyper_derp_accept_pauses_total",
		"Times that accepting paused"),
	COUNTER(HD_STAT_LOGINS, "hyper_derp_logins_total", "Keys admitted"),
	COUNTER(HD_STAT_LOGINS_DENIED, "hyper_derp_logins_denied_total",
		"Proven keys that were not admitted"),
	COUNTER(HD_STAT_MOVES, "hyper_derp_moves_total",
		"Connections moved to their key's home worker"),
	COUNTER(HD_STAT_SLOW_MOVES, "hyper_derp_moves_slow_total",
		"Moves that took longer than 200 microseconds"),
	COUNTER(HD_STAT_TLS_OK, "hyper_derp_tls_handshakes_total",
		"TLS handshakes that succeeded"),
	COUNTER(HD_STAT_TLS_FAILED, "hyper_derp_tls_failures_total",
		"TLS handshakes that failed"),
	COUNTER(HD_STAT_KTLS_REKEY, "hyper_derp_ktls_rekey_total",
		"Connections closed since the kernel cannot rekey them"),
	COUNTER(HD_STAT_RECV_PAUSED, "hyper_derp_recv_paused_total",
		"Times that reading from a peer paused"),
	GAUGE(HD_STAT_PEERS, "hyper_derp_peers_active",
	      "Admitted connections"),
	GAUGE(HD_STAT_STREAMS, "hyper_derp_streams_active",
	      "Open connections"),
	GAUGE(HD_STAT_GONE_BYTES, "hyper_derp_peer_gone_owed_bytes",
	      "Memory of who is to be told when a key leaves"),
	COUNTER(HD_STAT_GONE_FORGOTTEN, "hyper_derp_peer_gone_forgotten_total",
		"Keys that will not be told when another leaves: that had "
		"sent to too many"),
	TIMES(HD_STAT_LOGIN_TIME, "hyper_derp_login_seconds",
	      "From accept to an admitted key"),
	TIMES(HD_STAT_MOVE_TIME, "hyper_derp_move_seconds",
	      "Connections on their way to their key's home worker"),
	TIMES(HD_STAT_QUEUE_TIME, "hyper_derp_queue_delay_seconds",
	      "How long packets wait for the kernel to be ready for them, one "
	      "in 64"),
	TIMES(HD_STAT_TLS_TIME, "hyper_derp_tls_handshake_seconds",
	      "From accept to the end of a TLS handshake that succeeded"),
	TIMES(HD_STAT_TURN_TIME, "hyper_derp_loop_turn_seconds",
	      "A worker's turn: what comes in meanwhile waits"),
	DROP(HD_DROP_QUEUE_HEAD, "queue_head"),
	DROP(HD_DROP_WRITE_ERROR, "write_error"),
	DROP(HD_DROP_GONE, "gone_disconnected"),
	DROP(HD_DROP_UNKNOWN_DEST, "unknown_dest"),
	DROP(HD_DROP_XFER_FULL, "xfer_full"),
	DROP(HD_DROP_DENIED, "denied"),
	CLOSED(HD_CLOSE_DONE, "done"),
	CLOSED(HD_CLOSE_PROTOCOL, "protocol"),
	CLOSED(HD_CLOSE_DENIED, "denied"),
	CLOSED(HD_CLOSE_TIMEOUT, "timeout"),
	CLOSED(HD_CLOSE_SLOW, "slow"),
	CLOSED(HD_CLOSE_PEER, "peer"),
	CLOSED(HD_CLOSE_ERROR, "error"),
	CLOSED(HD_CLOSE_DRAIN, "drain"),
	CLOSED(HD_CLOSE_KICKED, "kicked"),
	[HD_STAT_N] = { .name = NULL },
};

const char *hd_drop_text(enum hd_drop why)
{
	static const char *const text[HD_DROP_N] = {
		[HD_DROP_QUEUE_HEAD] = "queue_head",
		[HD_DROP_WRITE_ERROR] = "write_error",
		[HD_DROP_GONE] = "gone_disconnected",
		[HD_DROP_UNKNOWN_DEST] = "unknown_dest",
		[HD_DROP_XFER_FULL] = "xfer_full",
		[HD_DROP_DENIED] = "denied",
	};

	return text[why];
}
