/* SPDX-License-Identifier: MIT */
/* modules/wg/metrics.c - the engine's numbers by name. */
#include "modules/wg/state.h"

#define COUNTER(name, help)                                                    \
	{                                                                      \
		"hyper_derp_wg_" name, NULL, help, HD_METRIC_COUNTER           \
	}
#define GAUGE(name, help)                                                      \
	{                                                                      \
		"hyper_derp_wg_" name, NULL, help, HD_METRIC_GAUGE             \
	}
#define DROP(why, text)                                                        \
	[WG_M_DROPS + (why)] = { "hyper_derp_wg_drops_total",                  \
				 "reason=\"" text "\"",                        \
				 "Datagrams that were not forwarded",          \
				 HD_METRIC_COUNTER }

#define PASS(i, text)                                                          \
	[WG_M_XDP_PASS + (i)] = { "hyper_derp_wg_xdp_pass_total",              \
				  "reason=\"" text "\"",                       \
				  "Datagrams that the driver left to user "    \
				  "space",                                     \
				  HD_METRIC_COUNTER }

const struct hd_metric wg_metrics[] = {
	[WG_M_RX_PACKETS] = COUNTER("rx_packets_total",
				    "Datagrams received, with those that the "
				    "kernel forwarded"),
	[WG_M_RX_BYTES] = COUNTER("rx_bytes_total", "Bytes of UDP received"),
	[WG_M_FWD_PACKETS] = COUNTER("fwd_packets_total",
				     "Datagrams sent, with those that the "
				     "kernel forwarded"),
	[WG_M_FWD_BYTES] = COUNTER("fwd_bytes_total", "Bytes of UDP sent"),
	[WG_M_XDP_PACKETS] = COUNTER("xdp_fwd_packets_total",
				     "Datagrams that the kernel forwarded"),
	[WG_M_XDP_BYTES] = COUNTER("xdp_fwd_bytes_total",
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
	[WG_M_HANDSHAKES] = COUNTER("handshakes_total", "Handshakes completed"),
	[WG_M_RELEARNED] = COUNTER("endpoint_relearn_total",
				   "Endpoints of peers that moved"),
	[WG_M_COOKIES] = COUNTER("cookie_replies_total",
				 "Addresses asked to prove themselves"),
	[WG_M_PEERS] = GAUGE("peers", "Registered peers"),
	[WG_M_LINKS] = GAUGE("links", "Registered links"),
	[WG_M_SESSIONS] = GAUGE("sessions", "Tunnels, both of a rekey counted"),
	[WG_M_PENDING] = GAUGE("pending_handshakes",
			       "Initiations not answered yet"),
	[WG_M_BLOCKED] = GAUGE("blocklist_entries",
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
	{ .name = NULL },
};
_Static_assert(HD_ARRAY_N(wg_metrics) == WG_M_N + 1, "each drop is counted");
