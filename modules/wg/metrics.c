/* SPDX-License-Identifier: MIT */
/* modules/wg/metrics.c - the engine's numbers by name. */
#include "modules/wg/state.h"

#define ROW(field, name, help)                                                 \
	HD_METRIC(struct wg_numbers, field, "hyper_derp_wg_" name, NULL, help)
#define DROP(why, text)                                                        \
	HD_METRIC(struct wg_numbers, drops[why], "hyper_derp_wg_drops_total",  \
		  "reason=\"" text "\"", "Datagrams that were not forwarded")
#define PASS(i, text)                                                          \
	HD_METRIC(struct wg_numbers, xdp_pass[i],                              \
		  "hyper_derp_wg_xdp_pass_total", "reason=\"" text "\"",       \
		  "Datagrams that the driver left to user space")

const struct hd_metric wg_metrics[] = {
	ROW(rx.packets, "rx_packets_total",
	    "Datagrams received, with those that the "
	    "kernel forwarded"),
	ROW(rx.bytes, "rx_bytes_total", "Bytes of UDP received"),
	ROW(fwd.packets, "fwd_packets_total",
	    "Datagrams sent, with those that the "
	    "kernel forwarded"),
	ROW(fwd.bytes, "fwd_bytes_total", "Bytes of UDP sent"),
	ROW(xdp.packets, "xdp_fwd_packets_total",
	    "Datagrams that the kernel forwarded"),
	ROW(xdp.bytes, "xdp_fwd_bytes_total",
	    "Bytes of UDP that the kernel forwarded"),
	PASS(0, "handshake"), /* the order of struct wg_relay_stats */
	PASS(1, "no_peer"),
	PASS(2, "no_mac"),
	PASS(3, "no_route"),
	PASS(4, "no_forwarding"),
	PASS(5, "too_big"),
	PASS(6, "checksum"),
	PASS(7, "odd"),
	PASS(8, "lapsed"),
	ROW(handshakes, "handshakes_total", "Handshakes completed"),
	ROW(relearned, "endpoint_relearn_total",
	    "Endpoints of peers that moved"),
	ROW(cookies, "cookie_replies_total",
	    "Addresses asked to prove themselves"),
	ROW(peers, "peers", "Registered peers"),
	ROW(links, "links", "Registered links"),
	ROW(sessions, "sessions", "Tunnels, both of a rekey counted"),
	ROW(pending, "pending_handshakes", "Initiations not answered yet"),
	ROW(blocked, "blocklist_entries",
	    "Addresses with strikes against them"),
	DROP(WG_DROP_UNKNOWN_SRC, "unknown_src"),
	DROP(WG_DROP_NO_LINK, "no_link"),
	DROP(WG_DROP_NOT_WG_SHAPED, "not_wg_shaped"),
	DROP(WG_DROP_PUBKEY_MISMATCH, "handshake_pubkey_mismatch"),
	DROP(WG_DROP_NO_PUBKEY_MATCH, "handshake_no_pubkey_match"),
	DROP(WG_DROP_RELEARN_UNCONFIRMED, "relearn_unconfirmed"),
	DROP(WG_DROP_BLOCKED, "blocklisted"),
	DROP(WG_DROP_RATE, "rate"),
	DROP(WG_DROP_COOKIE, "cookie_demanded"),
	DROP(WG_DROP_NO_ENDPOINT, "no_endpoint"),
	DROP(WG_DROP_SEARCH, "search_limit"),
	DROP(WG_DROP_REPLAY, "replay"),
	DROP(WG_DROP_SEND, "send_failed"),
	HD_METRIC_END,
};
