/* SPDX-License-Identifier: MIT */
/* bpf/hd_udp.bpf.c - datagrams of HD to the AF_XDP socket of their queue, all
 * else to the kernel: other ports, what begins otherwise (STUN on a shared
 * port), IP fragments and options, IPv6 extension headers, VLAN tags, addresses
 * that are not this host's (a router sees the relay's port, too).
 *
 * The sums of IP and UDP are not looked at. What is damaged does not open: it
 * is authenticated, but for the addresses, and a client that seems to be
 * elsewhere is asked there first. But nobody may have it ask where only this
 * host could be asked: what the kernel would take from no card is left to it.
 *
 * User space says anew, all the time, until when an address is ours; so when it
 * has stopped or hangs everything is the kernel's. A queue without a socket
 * passes, too. */
#include "bpf/parse.h"
#include "bpf/hd_udp.h"

/* Set before loading. */
const volatile __be16 relay_port;
const volatile __u8 first_byte, last_byte;
const volatile __u32 interface; /* whose frames its sockets take */

/* User space keeps it right: three parts of the interface's MAC address. */
volatile __u16 hd_mac[3];

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, HD_UDP_QUEUES);
	__type(key, __u32);
	__type(value, __u32);
} hd_sockets SEC(".maps");

struct { /* until when, CLOCK_MONOTONIC; 0: hd's socket is not bound to it */
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, HD_UDP_LOCALS);
	__type(key, struct wg_relay_addr);
	__type(value, __u64);
} hd_locals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hd_udp_stats);
} hd_udp_numbers SEC(".maps");

/* Is the whole datagram here, and nothing behind it? */
static __always_inline bool exact(const struct hd_frame *f)
{
	__u32 header = f->ip4 ? sizeof(*f->ip4) : sizeof(*f->ip6);

	return f->left_bytes == f->ip_len_bytes &&
	       f->ip_len_bytes <= HD_UDP_FRAME_MAX_BYTES - ETH_HLEN &&
	       bpf_ntohs(f->udp->len) + header == f->ip_len_bytes;
}

/* A priority tag counts as one: the frame is longer in front. */
static __always_inline bool tagged(const struct hd_frame *f)
{
	return f->eth->h_proto != bpf_htons(ETH_P_IP) &&
	       f->eth->h_proto != bpf_htons(ETH_P_IPV6);
}

/* A port of a bond runs the bond's program, whose sockets are not the port's.
 * Who listens to all on the wire sees frames for others. */
static __always_inline bool other(const struct xdp_md *ctx,
				  const struct hd_frame *f)
{
	const __u16 *mac = (const __u16 *)f->eth->h_dest;

	return ctx->ingress_ifindex != interface || mac[0] != hd_mac[0] ||
	       mac[1] != hd_mac[1] || mac[2] != hd_mac[2];
}

/* 0/8, 127/8, multicast and what is behind it. */
static __always_inline bool martian4(__be32 addr)
{
	__u32 net = bpf_ntohl(addr) >> 24;

	return net == 0 || net == 127 || net >= 224;
}

/* ::/32 has ::1 and IPv4 in its forms; multicast; fe80::/10 needs an interface
 * beside it. */
static __always_inline bool martian6(const struct wg_relay_addr *addr)
{
	__u32 w = bpf_ntohl(addr->w[0]);

	return w == 0 || w >> 24 == 0xff || (w & 0xffc00000) == 0xfe800000;
}

static __always_inline bool martian(const struct hd_frame *f)
{
	return f->ip4 ? martian4(f->from.w[3]) || martian4(f->to.w[3])
		      : martian6(&f->from) || martian6(&f->to);
}

static __always_inline bool is_hd(struct hd_frame *f)
{
	__u8 *type;

	return exact(f) && !tagged(f) && !martian(f) && HD_TAKE(f, type) &&
	       *type >= first_byte && *type <= last_byte;
}

static __always_inline bool is_bound(const struct wg_relay_addr *addr)
{
	const __u64 *until_ns = bpf_map_lookup_elem(&hd_locals, addr);

	return until_ns && bpf_ktime_get_coarse_ns() <= *until_ns;
}

SEC("xdp")
int hd_udp(struct xdp_md *ctx)
{
	struct hd_frame f = {};
	__u32 zero = 0;

	if (hd_parse_udp(ctx, &f) < 0 || f.udp->dest != relay_port)
		return XDP_PASS;
	struct hd_udp_stats *stats =
		bpf_map_lookup_elem(&hd_udp_numbers, &zero);
	if (!stats)
		return XDP_PASS;
	if (other(ctx, &f) || !is_hd(&f) ||
	    bpf_map_lookup_elem(&hd_locals, &f.from)) {
		stats->passed_odd++;
		return XDP_PASS;
	}
	if (!is_bound(&f.to)) {
		stats->passed_lapsed++;
		return XDP_PASS;
	}
	stats->taken++;
	return bpf_redirect_map(&hd_sockets, ctx->rx_queue_index, XDP_PASS);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
