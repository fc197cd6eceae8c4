/* SPDX-License-Identifier: MIT */
/* bpf/wg_relay.h - what the XDP program and modules/wg/xdp.c share.
 *
 * Fixed widths, no padding, UAPI headers only. Addresses are 16 bytes, IPv4 as
 * ::ffff:a.b.c.d; "be" is network order, "le" WireGuard's little-endian. */
#pragma once
#include <linux/types.h>

enum {
	WG_RELAY_BLOCKS = 8192,
	WG_RELAY_LOCALS = 256, /* addresses of ours that peers speak to */
	WG_RELAY_PORTS = 64, /* network interfaces */
	WG_RELAY_LEASE_S = 5, /* how long the program outlives its relay */
};

struct wg_relay_addr {
	__u32 w[4]; /* be */
};

struct wg_relay_key { /* a session as its sender shows it */
	struct wg_relay_addr from;
	__u32 index; /* le: the receiver_index in the message */
	__u16 from_port; /* be */
	__u16 zero;
};
_Static_assert(sizeof(struct wg_relay_key) == 24, "no padding");

struct wg_relay_path { /* where its packets go */
	struct wg_relay_addr at; /* our address that they come to */
	struct wg_relay_addr from; /* our address that they leave from */
	struct wg_relay_addr to;
	__u16 to_port; /* be */
	__u16 zero[3];
	__u64 packets;
	__u64 bytes; /* of UDP payload, as user space counts */
	__u64 last_ns; /* CLOCK_MONOTONIC, 0: never used */
	__u64 counter; /* the highest that was forwarded */
};
_Static_assert(sizeof(struct wg_relay_path) == 88, "no padding");

/* An interface that routes may name, and where its frames really leave. Each
 * VLAN tag is 0x1000 | VID, the outer one in the upper half. */
struct wg_relay_egress {
	__u32 ifindex;
	__u32 tags;
};
_Static_assert(sizeof(struct wg_relay_egress) == 8, "no padding");

struct wg_relay_stats { /* of one CPU */
	__u64 rx_packets; /* for the relay's port */
	__u64 fwd_packets;
	__u64 fwd_bytes;
	__u64 drop_blocklisted; /* handshakes */
	__u64 not_wg_shaped; /* dropped */
	__u64 pass_handshake; /* types 1 to 3 */
	__u64 pass_no_peer; /* transport data of no confirmed session */
	__u64 pass_no_mac; /* the next hop has no neighbour entry yet */
	__u64 pass_no_route; /* or the route leaves where we are not */
	__u64 pass_no_forwarding; /* the kernel refuses: sysctl, see the doc */
	__u64 pass_too_big; /* for the MTU of the way out */
	__u64 pass_checksum; /* not filled in yet, or IPv6 without one */
	__u64 pass_odd; /* a length, a TTL, a type that user space must judge */
	__u64 pass_lapsed; /* the relay behind us does not answer */
};
_Static_assert(sizeof(struct wg_relay_stats) == 14 * 8, "no padding");
