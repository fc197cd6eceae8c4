/* SPDX-License-Identifier: MIT */
/* t/bench/wg_frames.bpf.c - frames as a network card would hand them over.
 *
 * wg_source runs on frames in page memory (BPF_F_TEST_XDP_LIVE_FRAMES) and
 * sends them to the relay in bursts, as a card that collects them before it
 * interrupts; the counter of the message goes up. wg_sink, at the
 * same end of the cable, counts what comes back and ends it there. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct message {
	struct udphdr udp;
	__u32 type, index;
	__u64 counter;
} __attribute__((packed));

struct packet {
	struct ethhdr eth;
	struct iphdr ip;
	struct message msg;
} __attribute__((packed));

struct packet6 {
	struct ethhdr eth;
	struct ipv6hdr ip;
	struct message msg;
} __attribute__((packed));

enum { BURST = 64 };

const volatile __be16 sink_port;
const volatile __u8 ipv6, checked;
/* pages come back as the relay left them */
__u8 header[sizeof(struct packet6)];
__u32 sum; /* of a packet, without its counter */
const volatile __u64 burst_ns; /* from one burst to the next */
__u64 received, sent;
static __u64 next_ns, left; /* the source runs on one CPU */

static __always_inline int is_time(void)
{
	__u64 now_ns = bpf_ktime_get_ns();

	if (left == 0) {
		if (now_ns < next_ns)
			return 0;
		left = BURST;
		next_ns += burst_ns;
		if (next_ns < now_ns) /* late: no catching up */
			next_ns = now_ns;
	}
	left--;
	return 1;
}

/* The counter is in the checksum. */
static __always_inline __u16 check_of(__u64 counter)
{
	__u64 all = sum;

	for (int i = 0; i < 4; i++)
		all += counter >> 16 * i & 0xffff;
	all = (all & 0xffff) + (all >> 16);
	all = (all & 0xffff) + (all >> 16);
	return all == 0xffff ? 0xffff : ~all & 0xffff;
}

static __always_inline int source6(struct xdp_md *ctx)
{
	struct packet6 *p = (void *)(long)ctx->data;

	if ((void *)(p + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	__builtin_memcpy(p, header, sizeof(*p));
	p->msg.counter = sent++;
	p->msg.udp.check = check_of(p->msg.counter);
	return XDP_TX;
}

SEC("xdp")
int wg_source(struct xdp_md *ctx)
{
	struct packet *p = (void *)(long)ctx->data;

	if ((void *)(p + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	if (!is_time())
		return XDP_DROP;
	if (ipv6)
		return source6(ctx);
	__builtin_memcpy(p, header, sizeof(*p));
	p->msg.counter = sent++;
	if (checked)
		p->msg.udp.check = check_of(p->msg.counter);
	return XDP_TX;
}

static __always_inline int sink(const struct message *msg)
{
	if (msg->udp.dest != sink_port || msg->type != bpf_htonl(0x04000000))
		return XDP_PASS;
	received++;
	return XDP_DROP;
}

static __always_inline int sink6(struct xdp_md *ctx)
{
	struct packet6 *p = (void *)(long)ctx->data;

	if ((void *)(p + 1) > (void *)(long)ctx->data_end ||
	    p->eth.h_proto != bpf_htons(ETH_P_IPV6) || p->ip.nexthdr != 17)
		return XDP_PASS;
	return sink(&p->msg);
}

SEC("xdp")
int wg_sink(struct xdp_md *ctx)
{
	struct packet *p = (void *)(long)ctx->data;

	if (ipv6)
		return sink6(ctx);
	if ((void *)(p + 1) > (void *)(long)ctx->data_end ||
	    p->eth.h_proto != bpf_htons(ETH_P_IP) || p->ip.protocol != 17)
		return XDP_PASS;
	return sink(&p->msg);
}

char LICENSE[] SEC("license") = "MIT";
