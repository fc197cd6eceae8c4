/* SPDX-License-Identifier: MIT */
/* t/bench/hd_xdp.bpf.c - at the relay's end of the cable: its datagrams to the
 * AF_XDP socket, the rest to the kernel. At the load's: frames in page memory
 * (BPF_F_TEST_XDP_LIVE_FRAMES), as a network card's driver has them, and who
 * counts what comes back. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct headers {
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
} __attribute__((packed));

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} hd_sockets SEC(".maps");

const volatile __u16 relay_port = 7443, from_port = 20000, to_port = 30000;
const volatile __u16 pairs = 10, burst = 1; /* of a pair, one after another */
const volatile __u64 interval_ns; /* from one burst to the next */
const volatile __u32 each_bytes = 1231; /* of a datagram */
const volatile __u8 checked, routes;
__u64 unknown; /* datagrams that there is no route back for */
/* pages come back as the relay left them */
__u8 header[sizeof(struct headers)];
__u32 sum; /* of a datagram from port 0 */
__u64 sent, received;
static __u64 next_ns, left; /* the source runs on one CPU */

static __always_inline int is_udp(const struct headers *h, const void *end)
{
	return (const void *)(h + 1) <= end &&
	       h->eth.h_proto == bpf_htons(ETH_P_IP) && h->ip.protocol == 17;
}

/* The way back, as a relay would have to know it. */
static __always_inline void look_up(struct xdp_md *ctx,
				    const struct headers *h)
{
	struct bpf_fib_lookup to = { .family = 2, /* AF_INET */
				     .l4_protocol = 17,
				     .ifindex = ctx->ingress_ifindex,
				     .tot_len = bpf_ntohs(h->ip.tot_len) };

	to.ipv4_src = h->ip.daddr;
	to.ipv4_dst = h->ip.saddr;
	if (bpf_fib_lookup(ctx, &to, sizeof(to), 0) !=
	    BPF_FIB_LKUP_RET_SUCCESS)
		unknown++;
}

SEC("xdp")
int hd_steer(struct xdp_md *ctx)
{
	const struct headers *h = (void *)(long)ctx->data;

	if (!is_udp(h, (void *)(long)ctx->data_end) ||
	    h->udp.dest != bpf_htons(relay_port))
		return XDP_PASS;
	if (routes)
		look_up(ctx, h);
	return bpf_redirect_map(&hd_sockets, 0, XDP_PASS);
}

enum { LATE_NS = 1000000 }; /* so much is caught up with */

static __always_inline int is_time(void)
{
	__u64 now_ns = bpf_ktime_get_ns();

	if (left == 0) {
		if (now_ns < next_ns)
			return 0;
		left = burst;
		next_ns += interval_ns;
		if (next_ns + LATE_NS < now_ns)
			next_ns = now_ns;
	}
	left--;
	return 1;
}

static __always_inline __u16 check_of(__u16 port)
{
	__u32 all = sum + port;

	all = (all & 0xffff) + (all >> 16);
	all = (all & 0xffff) + (all >> 16);
	return all == 0xffff ? 0xffff : ~all & 0xffff;
}

SEC("xdp")
int hd_source(struct xdp_md *ctx)
{
	struct headers *h = (void *)(long)ctx->data;
	__u16 port;

	if ((void *)(h + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	if (!is_time())
		return XDP_DROP;
	port = bpf_htons(from_port + sent / burst % pairs);
	__builtin_memcpy(h, header, sizeof(*h));
	h->udp.source = port;
	h->udp.check = checked ? check_of(port) : 0;
	sent++;
	return XDP_TX;
}

/* Some of a pair may come as one that a card would cut (GSO). */
SEC("xdp")
int hd_sink(struct xdp_md *ctx)
{
	const struct headers *h = (void *)(long)ctx->data;

	if (!is_udp(h, (void *)(long)ctx->data_end) ||
	    bpf_ntohs(h->udp.dest) < to_port)
		return XDP_PASS;
	received += (bpf_ntohs(h->udp.len) - sizeof(h->udp)) / each_bytes;
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
