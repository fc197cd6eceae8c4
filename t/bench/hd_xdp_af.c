/* SPDX-License-Identifier: MIT */
/* t/bench/hd_xdp_af.c - the same work by AF_XDP, as well as it can be had: one
 * queue; a frame that came in is the one that leaves, opened and sealed where
 * it is, addresses swapped. --whole: with the checksums of UDP, and the way
 * back looked up for each (hd_xdp.bpf.c); else without. --in-only: what leaves
 * does so by a socket with UDP_SEGMENT.
 *
 * In copy mode, which is what veth has: the kernel copies a frame into our
 * memory and makes a packet of each that leaves. It sleeps in poll(2). */
#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <xdp/xsk.h>
#include "core/base/clock.h"
#include "t/bench/hd_xdp.h"
#include "t/bench/hd_xdp.skel.h"

enum {
	FRAMES = 8192,
	FRAME_BYTES = 2048,
	RING = 4096,
	TURN = 1024, /* frames of one turn, at most */
};

struct headers {
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
} __attribute__((packed));

static struct xsk_ring_prod fill, tx;
static struct xsk_ring_cons done, rx;
static struct xsk_socket *xsk;
static uint8_t *area;
static struct hd_xdp_options options;

/* ---- frames ---- */

static void give_back(const uint64_t *at, unsigned n)
{
	uint32_t i;

	if (n == 0 || xsk_ring_prod__reserve(&fill, n, &i) != n)
		return; /* there are as many places as frames: it has room */
	for (unsigned k = 0; k < n; k++)
		*xsk_ring_prod__fill_addr(&fill, i + k) = at[k];
	xsk_ring_prod__submit(&fill, n);
}

static void collect_sent(void)
{
	uint64_t at[RING];
	uint32_t i;
	unsigned n = xsk_ring_cons__peek(&done, RING, &i);

	for (unsigned k = 0; k < n; k++)
		at[k] = *xsk_ring_cons__comp_addr(&done, i + k) &
			~(uint64_t)(FRAME_BYTES - 1);
	xsk_ring_cons__release(&done, n);
	give_back(at, n);
}

/* ---- the sum over a datagram (RFC 768, RFC 1071) ---- */

static uint64_t sum_of(const uint8_t *p, size_t n)
{
	uint64_t sum = 0;
	uint32_t words[4];

	for (; n >= sizeof(words); n -= sizeof(words), p += sizeof(words)) {
		memcpy(words, p, sizeof(words));
		sum += (uint64_t)words[0] + words[1] + words[2] + words[3];
	}
	for (; n > 1; n -= 2, p += 2) {
		uint16_t w;

		memcpy(&w, p, sizeof(w));
		sum += w;
	}
	return n > 0 ? sum + *p : sum;
}

/* Over the header of UDP as it stands, too: 0 if its sum is right. */
static uint16_t sum_of_udp(const struct headers *h)
{
	uint64_t sum = sum_of((const void *)&h->udp, ntohs(h->udp.len));

	sum += (uint64_t)h->ip.saddr + h->ip.daddr + h->udp.len +
	       htons(IPPROTO_UDP);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* ---- a datagram ---- */

static void turn_round(struct headers *h, unsigned pair)
{
	uint8_t mac[ETH_ALEN];
	uint32_t ip = h->ip.saddr;

	memcpy(mac, h->eth.h_source, sizeof(mac));
	memcpy(h->eth.h_source, h->eth.h_dest, sizeof(mac));
	memcpy(h->eth.h_dest, mac, sizeof(mac));
	h->ip.saddr = h->ip.daddr; /* the sum over both stays the same */
	h->ip.daddr = ip;
	h->udp.source = h->udp.dest;
	h->udp.dest = htons((uint16_t)(HD_XDP_TO + pair));
	h->udp.check = 0;
	if (options.whole)
		h->udp.check = sum_of_udp(h);
}

/* Returns whether it is to leave. */
static bool pass(uint8_t *frame, size_t frame_bytes)
{
	struct headers *h = (void *)frame;
	uint8_t *p = frame + sizeof(*h);
	size_t len = (size_t)ntohs(h->udp.len) - sizeof(h->udp);
	unsigned pair = ntohs(h->udp.source) - HD_XDP_FROM;

	if (pair >= HD_XDP_PAIRS_MAX || len <= HD_XDP_FRAME_BYTES ||
	    len > frame_bytes - sizeof(*h) ||
	    (options.whole && h->udp.check != 0 && sum_of_udp(h) != 0))
		return false;
	if (options.in_only) {
		struct sockaddr_in from = { .sin_family = AF_INET,
					    .sin_port = h->udp.source };

		from.sin_addr.s_addr = h->ip.saddr;
		hd_xdp_pass(&from, p, len);
		return false;
	}
	if (!hd_xdp_open(p, len - HD_XDP_FRAME_BYTES, p + HD_XDP_HEAD_BYTES))
		return false;
	hd_xdp_seal(p, len - HD_XDP_FRAME_BYTES);
	turn_round(h, pair);
	return true;
}

/* In copy mode a call sends what is in the ring, 32 at a time. */
static void kick(unsigned n)
{
	int fd = xsk_socket__fd(xsk);

	for (unsigned sent = 0; sent < n; sent += 32)
		while (sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 &&
		       errno == EBUSY)
			;
}

static void turn(void)
{
	uint64_t lost[TURN];
	uint32_t in, out;
	unsigned n = xsk_ring_cons__peek(&rx, TURN, &in), n_lost = 0, n_out = 0;

	if (xsk_ring_prod__reserve(&tx, n, &out) != n)
		hd_xdp_fail("the ring is smaller than a turn");
	for (unsigned k = 0; k < n; k++) {
		const struct xdp_desc *d =
			xsk_ring_cons__rx_desc(&rx, in + k);

		if (pass(area + d->addr, d->len))
			*xsk_ring_prod__tx_desc(&tx, out + n_out++) = *d;
		else
			lost[n_lost++] = d->addr & ~(uint64_t)(FRAME_BYTES - 1);
	}
	tx.cached_prod -= n_lost;
	xsk_ring_cons__release(&rx, n);
	xsk_ring_prod__submit(&tx, n_out);
	kick(n_out);
	if (options.in_only)
		hd_xdp_flush();
	give_back(lost, n_lost);
	collect_sent();
}

/* ---- set up ---- */

static void make_area(struct xsk_umem **umem)
{
	const struct xsk_umem_config conf = { .fill_size = FRAMES,
					      .comp_size = RING,
					      .frame_size = FRAME_BYTES };
	size_t bytes = (size_t)FRAMES * FRAME_BYTES;

	area = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (area == MAP_FAILED ||
	    xsk_umem__create(umem, area, bytes, &fill, &done, &conf) < 0)
		hd_xdp_fail("UMEM");
	for (uint64_t i = 0; i < FRAMES; i++)
		give_back(&(uint64_t){ i * FRAME_BYTES }, 1);
}

static void open_socket(const char *device)
{
	const struct xsk_socket_config conf = {
		.rx_size = RING,
		.tx_size = RING,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_COPY | XDP_USE_NEED_WAKEUP,
	};
	struct hd_xdp_bpf *bpf = hd_xdp_bpf__open();
	struct xsk_umem *umem = NULL;
	int zero = 0, fd;

	if (bpf != NULL)
		bpf->rodata->routes = options.whole && !options.in_only;
	if (bpf == NULL || hd_xdp_bpf__load(bpf) < 0)
		hd_xdp_fail("the kernel does not take hd_xdp.bpf");
	make_area(&umem);
	if (xsk_socket__create(&xsk, device, 0, umem, &rx, &tx, &conf) < 0)
		hd_xdp_fail("AF_XDP socket");
	fd = xsk_socket__fd(xsk);
	if (bpf_map__update_elem(bpf->maps.hd_sockets, &zero, sizeof(zero),
				 &fd, sizeof(fd), 0) < 0 ||
	    bpf_program__attach_xdp(bpf->progs.hd_steer,
				    (int)if_nametoindex(device)) == NULL)
		hd_xdp_fail("native XDP");
}

void hd_xdp_by_af_xdp(const struct hd_xdp_options *o)
{
	struct pollfd pfd = { .events = POLLIN };

	options = *o;
	if (o->in_only)
		hd_xdp_socket(o);
	open_socket(o->device);
	pfd.fd = xsk_socket__fd(xsk);
	puts("ready");
	fflush(stdout);
	for (;;) {
		uint64_t began_ns;

		poll(&pfd, 1, -1);
		began_ns = hd_clock_ns();
		turn();
		hd_xdp_rest(began_ns, o->hold_us);
	}
}
