/* SPDX-License-Identifier: MIT */
/* bpf/hd_udp.bpf.c - datagrams of HD to the AF_XDP socket of their queue, all
 * else to the kernel: other ports, what begins otherwise (STUN on a shared
 * port), IP fragments and options, IPv6 extension headers, VLAN tags, addresses
 * that are not this host's (a router sees the relay's port, too).
 *
 * The sums of IP and UDP are not looked at. What is damaged does not open: it
 * is authenticated, but for the addresses, and a client that seems to be
 * elsewhere is asked there first.
 *
 * User space says anew, all the time, until when an address is ours; so when it
 * has stopped or hangs everything is the kernel's. A queue without a socket
 * passes, too. */
#include "bpf/parse.h"
#include "bpf/hd_udp.h"

/* Set before loading. */
const volatile __be16 relay_port;
const volatile __u8 first_byte, last_byte;

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, HD_UDP_QUEUES);
	__type(key, __u32);
	__type(value, __u32);
} hd_sockets SEC(".maps");

struct { /* until when, CLOCK_MONOTONIC */
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

/* fe80::/10 needs an interface beside it. */
static __always_inline bool link_local(const struct hd_frame *f)
{
	return !f->ip4 &&
	       (f->from.w[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

static __always_inline bool is_hd(struct hd_frame *f)
{
	__u8 *type;

	return exact(f) && !tagged(f) && !link_local(f) && HD_TAKE(f, type) &&
	       *type >= first_byte && *type <= last_byte;
}

SEC("xdp")
int hd_udp(struct xdp_md *ctx)
{
	struct hd_frame f = {};
	__u32 zero = 0;
	__u64 *until_ns;

	if (hd_parse_udp(ctx, &f) < 0 || f.udp->dest != relay_port)
		return XDP_PASS;
	struct hd_udp_stats *stats =
		bpf_map_lookup_elem(&hd_udp_numbers, &zero);
	if (!stats)
		return XDP_PASS;
	if (!is_hd(&f)) {
		stats->passed_odd++;
		return XDP_PASS;
	}
	until_ns = bpf_map_lookup_elem(&hd_locals, &f.to);
	if (!until_ns || bpf_ktime_get_coarse_ns() > *until_ns) {
		stats->passed_lapsed++;
		return XDP_PASS;
	}
	stats->taken++;
	return bpf_redirect_map(&hd_sockets, ctx->rx_queue_index, XDP_PASS);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
