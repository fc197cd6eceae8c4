/* SPDX-License-Identifier: MIT */
/* t/bench/wg_load_frames.c - packets as a driver has them: see
 * wg_frames.bpf.c. Their UDP checksum is 0, so that nobody spends time on what
 * a network card would have checked. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include "t/bench/wg_frames.skel.h"
#include "t/bench/wg_load.h"

enum {
	HEADERS_BYTES = 14 + 20 + 8,
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

static void put_ip(uint8_t *ip)
{
	uint32_t sum = 0;

	ip[0] = 0x45;
	put16(ip + 2, frame_bytes - 14);
	ip[8] = TTL;
	ip[9] = IPPROTO_UDP;
	memcpy(ip + 12, &o.a.addr.sin_addr, 4);
	memcpy(ip + 16, &o.relay.sin_addr, 4);
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	put16(ip + 10, ~(sum + (sum >> 16)) & 0xffff);
}

static void make_frame(void)
{
	uint8_t *ip = frame + 14, *udp = ip + 20, *msg = udp + 8;

	frame_bytes = HEADERS_BYTES + o.len;
	if (frame_bytes > FRAME_MAX)
		fail("--frames: too long");
	memcpy(frame, o.relay_mac, MAC_BYTES);
	own_mac(frame + MAC_BYTES);
	put16(frame + 12, 0x0800);
	put_ip(ip);
	memcpy(udp, &o.a.addr.sin_port, 2);
	memcpy(udp + 2, &o.relay.sin_port, 2);
	put16(udp + 4, o.len + 8);
	put32(msg, 4);
	put32(msg + 4, INDEX_B);
	memcpy(bpf->bss->header, frame, sizeof(bpf->bss->header));
}

static void open_(void)
{
	unsigned ifindex = if_nametoindex(o.frames);

	bpf = wg_frames_bpf__open();
	if (bpf == NULL)
		fail("wg_frames cannot be opened");
	bpf->rodata->sink_port = o.b.addr.sin_port;
	bpf->rodata->burst_ns = (uint64_t)(BATCH * 1e9 / o.rate);
	if (wg_frames_bpf__load(bpf) < 0)
		fail("the kernel does not take wg_frames");
	link_ = bpf_program__attach_xdp(bpf->progs.wg_sink, (int)ifindex);
	if (link_ == NULL)
		fail("--frames: wg_sink cannot be attached");
	make_frame();
}

static void nothing(int sig)
{
	(void)sig; /* the system call ends */
}

static void end_in(double seconds)
{
	struct sigaction sa = { .sa_handler = nothing };
	struct itimerval t = { .it_value.tv_sec = (time_t)seconds };

	t.it_value.tv_usec =
		(suseconds_t)((seconds - (double)(time_t)seconds) * 1e6);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
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

	end_in(seconds);
	if (bpf_prog_test_run_opts(fd, &opts) < 0 && errno != EINTR)
		fail("live frames need Linux 5.18");
	usleep(REST_US);
	r->sent = bpf->bss->sent - sent;
	r->received = bpf->bss->received - received;
}

const struct way by_frames = { open_, run };
