/* SPDX-License-Identifier: MIT */
/* t/bench/wg_load_frames.c - packets as a driver has them: see
 * wg_frames.bpf.c. Their UDP checksum is 0, so that nobody spends time on what
 * a network card would have checked; IPv6 demands one, and --checksums gives
 * IPv4 one, too: without it the kernel does not join packets (GRO). */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "t/bench/wg_frames.skel.h"
#include "t/bench/wg_load.h"
#include "t/bench/tasks.h"

enum {
	ETH_BYTES = 14,
	IP4_BYTES = 20,
	IP6_BYTES = 40,
	UDP_BYTES = 8,
	FRAME_MAX = 2048,
	TTL = 64,
	REST_US = 20000, /* for what is on the way */
};

static struct wg_frames_bpf *bpf;
static struct bpf_link *link_;
static uint8_t frame[FRAME_MAX];
static unsigned frame_bytes;

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void own_mac(uint8_t mac[MAC_BYTES])
{
	struct ifreq ifr = { .ifr_flags = 0 };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", o.frames);
	if (ioctl(o.a.fd, SIOCGIFHWADDR, &ifr) < 0)
		fail("--frames: no such interface");
	memcpy(mac, ifr.ifr_hwaddr.sa_data, MAC_BYTES);
}

static bool is_ipv6(void)
{
	return o.relay.sa.sa_family == AF_INET6;
}

/* Of 16-bit words as they lie in memory, which is the checksum's order too. */
static uint32_t sum_words(const uint8_t *p, size_t n, uint32_t sum)
{
	for (size_t i = 0; i < n; i += 2) {
		uint16_t word = 0;

		memcpy(&word, p + i, n - i < 2 ? 1 : 2);
		sum += word;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

static void put_ip4(uint8_t *ip)
{
	uint16_t check;

	ip[0] = 0x45;
	put16(ip + 2, frame_bytes - ETH_BYTES);
	ip[8] = TTL;
	ip[9] = IPPROTO_UDP;
	memcpy(ip + 12, &o.a.addr.in.sin_addr, 4);
	memcpy(ip + 16, &o.relay.in.sin_addr, 4);
	check = (uint16_t)~sum_words(ip, IP4_BYTES, 0);
	memcpy(ip + 10, &check, sizeof(check));
}

static void put_ip6(uint8_t *ip)
{
	ip[0] = 0x60;
	put16(ip + 4, UDP_BYTES + o.len);
	ip[6] = IPPROTO_UDP;
	ip[7] = TTL;
	memcpy(ip + 8, &o.a.addr.in6.sin6_addr, 16);
	memcpy(ip + 24, &o.relay.in6.sin6_addr, 16);
}

/* The checksum's sum without the counter, which wg_source adds. */
static uint32_t sum_of(const uint8_t *ip, const uint8_t *udp)
{
	uint8_t rest[4] = { 0, IPPROTO_UDP }; /* of the pseudo header */
	uint32_t addresses = is_ipv6() ? sum_words(ip + 8, 32, 0)
				       : sum_words(ip + 12, 8, 0);

	put16(rest + 2, UDP_BYTES + o.len);
	return sum_words(udp, UDP_BYTES + o.len, sum_words(rest, 4, addresses));
}

static void make_frame(void)
{
	unsigned ip_bytes = is_ipv6() ? IP6_BYTES : IP4_BYTES;
	uint8_t *ip = frame + ETH_BYTES, *udp = ip + ip_bytes;
	uint8_t *msg = udp + UDP_BYTES;

	frame_bytes = ETH_BYTES + ip_bytes + UDP_BYTES + o.len;
	if (frame_bytes > FRAME_MAX)
		fail("--frames: too long");
	memcpy(frame, o.relay_mac, MAC_BYTES);
	own_mac(frame + MAC_BYTES);
	put16(frame + 12, is_ipv6() ? 0x86dd : 0x0800);
	if (is_ipv6())
		put_ip6(ip);
	else
		put_ip4(ip);
	memcpy(udp, &o.a.addr.in.sin_port, 2);
	memcpy(udp + 2, &o.relay.in.sin_port, 2);
	put16(udp + 4, o.len + UDP_BYTES);
	put32(msg, 4);
	put32(msg + 4, INDEX_B);
	memcpy(bpf->bss->header, frame, sizeof(bpf->bss->header));
	bpf->bss->sum = sum_of(ip, udp);
}

static void open_(void)
{
	unsigned ifindex = if_nametoindex(o.frames);

	bpf = wg_frames_bpf__open();
	if (bpf == NULL)
		fail("wg_frames cannot be opened");
	bpf->rodata->sink_port = o.b.addr.in.sin_port;
	bpf->rodata->ipv6 = is_ipv6();
	bpf->rodata->checked = o.checksums;
	bpf->rodata->burst_ns = (uint64_t)(BATCH * 1e9 / o.rate);
	if (wg_frames_bpf__load(bpf) < 0)
		fail("the kernel does not take wg_frames");
	link_ = bpf_program__attach_xdp(bpf->progs.wg_sink, (int)ifindex);
	if (link_ == NULL)
		fail("--frames: wg_sink cannot be attached");
	make_frame();
}

static void run(double seconds, struct result *r)
{
	struct xdp_md ctx = { .data_end = frame_bytes,
			      .ingress_ifindex = if_nametoindex(o.frames) };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame,
		    .data_size_in = frame_bytes, .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = INT_MAX,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);
	uint64_t sent = bpf->bss->sent, received = bpf->bss->received;
	int fd = bpf_program__fd(bpf->progs.wg_source);

	tasks_end_in(seconds);
	if (bpf_prog_test_run_opts(fd, &opts) < 0 && errno != EINTR)
		fail("live frames need Linux 5.18");
	usleep(REST_US);
	r->sent = bpf->bss->sent - sent;
	r->received = bpf->bss->received - received;
}

const struct way by_frames = { open_, run };
