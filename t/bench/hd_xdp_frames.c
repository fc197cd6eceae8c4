/* SPDX-License-Identifier: MIT */
/* t/bench/hd_xdp_frames.c - the load by frames that are in pages already, as a
 * network card's driver has them: from sockets veth would copy each into a page
 * before XDP sees it. What is in them is sealed once. See hd_xdp.bpf.c. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/if_link.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "t/bench/hd_xdp.skel.h"
#include "t/bench/hd_xdp_load.h"
#include "t/bench/tasks.h"

enum {
	BATCH = 64, /* frames that the kernel hands over at once */
	REST_US = 20000, /* for what is on the way */
};

struct frame {
	uint8_t to[6], from[6];
	uint16_t type;
	uint8_t ip[20];
	uint16_t source, dest, len, check;
	uint8_t data[HD_XDP_MAX_BYTES];
} __attribute__((packed));

static struct hd_xdp_bpf *bpf;
static struct frame frame = { .type = 0 };
static size_t frame_bytes;

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

static void put_ip(size_t bytes, const struct hd_xdp_load *load)
{
	uint16_t check, n = htons((uint16_t)bytes);

	frame.ip[0] = 0x45;
	memcpy(frame.ip + 2, &n, sizeof(n));
	frame.ip[8] = 64;
	frame.ip[9] = IPPROTO_UDP;
	inet_pton(AF_INET, load->mine, frame.ip + 12);
	inet_pton(AF_INET, load->relay, frame.ip + 16);
	check = (uint16_t)~sum_words(frame.ip, sizeof(frame.ip), 0);
	memcpy(frame.ip + 10, &check, sizeof(check));
}

static void own_mac(const char *device)
{
	struct ifreq ifr = { .ifr_flags = 0 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", device);
	if (ioctl(fd, SIOCGIFHWADDR, &ifr) < 0)
		hd_xdp_fail(device);
	memcpy(frame.from, ifr.ifr_hwaddr.sa_data, sizeof(frame.from));
	close(fd);
}

/* The sum over all of it, from port 0: the source's own is added. */
static uint32_t sum_of(void)
{
	uint8_t rest[4] = { 0, IPPROTO_UDP };
	uint32_t sum = sum_words(frame.ip + 12, 8, 0);

	memcpy(rest + 2, &frame.len, sizeof(frame.len));
	sum = sum_words(rest, sizeof(rest), sum);
	return sum_words((uint8_t *)&frame.source, ntohs(frame.len), sum);
}

static void make_frame(const struct hd_xdp_load *load)
{
	size_t udp_bytes = 8 + HD_XDP_FRAME_BYTES + load->size;

	frame_bytes = offsetof(struct frame, source) + udp_bytes;
	memcpy(frame.to, load->relay_mac, sizeof(frame.to));
	own_mac(load->frames);
	frame.type = htons(0x0800);
	put_ip(sizeof(frame.ip) + udp_bytes, load);
	frame.dest = htons(HD_XDP_PORT);
	frame.len = htons((uint16_t)udp_bytes);
	hd_xdp_seal(frame.data, load->size);
	memcpy(bpf->bss->header, &frame, sizeof(bpf->bss->header));
	bpf->bss->sum = sum_of();
}

void hd_xdp_frames_open(const struct hd_xdp_load *load)
{
	bpf = hd_xdp_bpf__open();
	if (bpf == NULL)
		hd_xdp_fail("hd_xdp.bpf");
	bpf->rodata->pairs = (uint16_t)load->pairs;
	bpf->rodata->burst = (uint16_t)load->burst;
	bpf->rodata->checked = load->checked;
	bpf->rodata->interval_ns = (uint64_t)(load->burst * 1e9 / load->rate);
	bpf->rodata->each_bytes = HD_XDP_FRAME_BYTES + load->size;
	/* In native mode nobody could send what is to be cut. */
	if (hd_xdp_bpf__load(bpf) < 0 ||
	    bpf_xdp_attach((int)if_nametoindex(load->frames),
			   bpf_program__fd(bpf->progs.hd_sink),
			   XDP_FLAGS_SKB_MODE, NULL) < 0)
		hd_xdp_fail("XDP");
	make_frame(load);
}

void hd_xdp_frames_run(const struct hd_xdp_load *load, double seconds,
		       uint64_t *ret_sent, uint64_t *ret_received)
{
	struct xdp_md ctx = { .data_end = (uint32_t)frame_bytes,
			      .ingress_ifindex =
				      if_nametoindex(load->frames) };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &frame,
		    .data_size_in = (uint32_t)frame_bytes, .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = INT_MAX,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);
	uint64_t sent = bpf->bss->sent, received = bpf->bss->received;

	tasks_end_in(seconds);
	if (bpf_prog_test_run_opts(bpf_program__fd(bpf->progs.hd_source),
				   &opts) < 0 &&
	    errno != EINTR)
		hd_xdp_fail("live frames, Linux 5.18");
	usleep(REST_US);
	*ret_sent = bpf->bss->sent - sent;
	*ret_received = bpf->bss->received - received;
}
