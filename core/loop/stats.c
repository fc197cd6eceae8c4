/* SPDX-License-Identifier: MIT */
/* core/loop/stats.c - names of the core's numbers. Those of the predecessor's
 * metrics are kept where they mean the same. */
#include "core/loop/stats.h"

#define ROW(field, name, help)                                                 \
	HD_METRIC(struct hd_stats, field, name, NULL, help)
#define DROP_NAME "hyper_derp_send_drops_total"
#define DROP_HELP "Packets dropped, by reason and kind"
#define DROP(id, reason)                                                       \
	HD_METRIC(struct hd_stats, drops[id][0], DROP_NAME,                    \
		  "reason=\"" reason "\",kind=\"other\"", DROP_HELP),          \
		HD_METRIC(struct hd_stats, drops[id][1], DROP_NAME,            \
			  "reason=\"" reason "\",kind=\"disco\"", DROP_HELP)
#define WAITS(id, whose)                                                       \
	HD_METRIC(                                                             \
		struct hd_stats, share_waits[id],                              \
		"hyper_derp_limit_waits_total", "limit=\"" whose "\"",         \
		"Times that a peer waited for its turn, since all who share "  \
		"a limit sent more than that")
#define CLOSED(id, why)                                                        \
	HD_METRIC(struct hd_stats, closes[id], "hyper_derp_closes_total",      \
		  "reason=\"" why "\"", "Connections closed, by reason")

const struct hd_metric hd_core_metrics[] = {
	ROW(recv_bytes, "hyper_derp_recv_bytes_total",
	    "Plaintext bytes received"),
	ROW(send_bytes, "hyper_derp_send_bytes_total",
	    "Bytes the kernel took for sending"),
	ROW(packets_in, "hyper_derp_recv_packets_total",
	    "Packets that peers sent to keys"),
	ROW(packets_out, "hyper_derp_send_packets_total",
	    "Packets handed to their receivers' output"),
	ROW(accepts, "hyper_derp_accepts_total", "Connections accepted"),
	ROW(accepts_denied, "hyper_derp_accepts_denied_total",
	    "Connections that a module closed by their address"),
	ROW(address_refused, "hyper_derp_address_refused_total",
	    "Connections closed by max_connections_per_address or "
	    "max_accept_rate_per_address"),
	ROW(accept_pauses, "hyper_derp_accept_pauses_total",
	    "Times that accepting paused"),
	ROW(proxy_refused, "hyper_derp_proxy_refused_total",
	    "Connections to listeners with proxy_protocol that were closed: no "
	    "PROXY header, a wrong one, or not from a proxy"),
	ROW(logins, "hyper_derp_logins_total", "Keys admitted"),
	ROW(logins_denied, "hyper_derp_logins_denied_total",
	    "Proven keys that were not admitted"),
	ROW(moves, "hyper_derp_moves_total",
	    "Connections moved to their key's home worker"),
	ROW(slow_moves, "hyper_derp_moves_slow_total",
	    "Moves that took longer than 200 microseconds"),
	ROW(tls_ok, "hyper_derp_tls_handshakes_total",
	    "TLS handshakes that succeeded"),
	ROW(tls_failed, "hyper_derp_tls_failures_total",
	    "TLS handshakes that failed"),
	ROW(ktls_rekey, "hyper_derp_ktls_rekey_total",
	    "Connections closed since the kernel cannot rekey them"),
	ROW(key_hits, "hyper_derp_tls_key_cache_hits_total",
	    "Records of TLS, and datagrams, whose key was expanded already"),
	ROW(key_misses, "hyper_derp_tls_key_cache_misses_total",
	    "Those whose key had to be expanded"),
	ROW(key_evictions, "hyper_derp_tls_key_cache_evictions_total",
	    "Expanded keys that gave way to another: there is room for 2,048 "
	    "in a worker"),
	ROW(recv_paused, "hyper_derp_recv_paused_total",
	    "Times that reading from a peer paused"),
	ROW(bbr, "hyper_derp_tcp_bbr_total",
	    "Connections that were given BBR, since they are far and lose "
	    "packets"),
	WAITS(0, "tenant"),
	WAITS(1, "relay"),
	ROW(peers, "hyper_derp_peers_active", "Admitted connections"),
	ROW(streams, "hyper_derp_streams_active", "Open connections"),
	ROW(gone_bytes, "hyper_derp_peer_gone_owed_bytes",
	    "Memory of who is to be told when a key leaves"),
	ROW(gone_forgotten, "hyper_derp_peer_gone_forgotten_total",
	    "Keys that will not be told when another leaves: too many "
	    "were written down"),
	ROW(ws_part_bytes, "hyper_derp_websocket_part_bytes",
	    "Memory of WebSocket messages that have come in part"),
	ROW(login_time, "hyper_derp_login_seconds",
	    "From accept to an admitted key"),
	ROW(move_time, "hyper_derp_move_seconds",
	    "Connections on their way to their key's home worker"),
	ROW(queue_time, "hyper_derp_queue_delay_seconds",
	    "How long packets wait for the kernel to be ready for them, one "
	    "in 64"),
	ROW(tls_time, "hyper_derp_tls_handshake_seconds",
	    "From accept to the end of a TLS handshake that succeeded"),
	ROW(turn_time, "hyper_derp_loop_turn_seconds",
	    "A worker's turn: what comes in meanwhile waits"),
	DROP(HD_DROP_QUEUE_HEAD, "queue_head"),
	DROP(HD_DROP_WRITE_ERROR, "write_error"),
	DROP(HD_DROP_GONE, "gone_disconnected"),
	DROP(HD_DROP_UNKNOWN_DEST, "unknown_dest"),
	DROP(HD_DROP_XFER_FULL, "xfer_full"),
	DROP(HD_DROP_DENIED, "denied"),
	DROP(HD_DROP_UNKNOWN_FWD, "unknown_dest_on_fwd"),
	CLOSED(HD_CLOSE_DONE, "done"),
	CLOSED(HD_CLOSE_PROTOCOL, "protocol"),
	CLOSED(HD_CLOSE_DENIED, "denied"),
	CLOSED(HD_CLOSE_TIMEOUT, "timeout"),
	CLOSED(HD_CLOSE_SLOW, "slow"),
	CLOSED(HD_CLOSE_PEER, "peer"),
	CLOSED(HD_CLOSE_ERROR, "error"),
	CLOSED(HD_CLOSE_DRAIN, "drain"),
	CLOSED(HD_CLOSE_KICKED, "kicked"),
	HD_METRIC_END,
};

const char *const hd_drop_names[HD_DROP_N] = {
	[HD_DROP_QUEUE_HEAD] = "queue_head",
	[HD_DROP_WRITE_ERROR] = "write_error",
	[HD_DROP_GONE] = "gone_disconnected",
	[HD_DROP_UNKNOWN_DEST] = "unknown_dest",
	[HD_DROP_XFER_FULL] = "xfer_full",
	[HD_DROP_DENIED] = "denied",
	[HD_DROP_UNKNOWN_FWD] = "unknown_dest_on_fwd",
};

const char *hd_drop_text(enum hd_drop why)
{
	return hd_drop_names[why];
}
