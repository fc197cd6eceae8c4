/* SPDX-License-Identifier: MIT */
/* t/bench/hd_xdp.c - the work that a relay has with a datagram of HD, without
 * the relay: it is received, opened, sealed anew and sent to another address.
 * No connection is looked for, no counter, no limit.
 *
 *   hd_xdp sockets|af_xdp [--device NAME] [--hold US] [--no-gso] [--whole]
 *          [--in-only]
 *
 * sockets: one recvmmsg(2) and one sendmmsg(2) a turn, as core/net/udp_*.c:
 * UDP_GRO where the kernel joins datagrams, UDP_SEGMENT for those to one
 * address. af_xdp: hd_xdp_af.c. --hold: a turn begins so many us behind the one
 * before, as the relay's do (core/loop/pace.h). Prints "ready". */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include "core/base/clock.h"
#include "t/bench/hd_xdp.h"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum {
	IN = 32, /* messages a turn */
	IN_BYTES = 65536,
	APART_BYTES = IN_BYTES + 2048,
	OUT_BYTES = 65507, /* of one send */
	SEGMENTS = 64,
	KERNEL_BYTES = 4 << 20,
};

struct outgoing { /* to one address, datagrams of equal size */
	struct sockaddr_in to;
	size_t len, segment;
	uint8_t *data;
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(2)];
};

static int fd;
static bool gso;
static uint8_t *in;
static struct outgoing out[HD_XDP_PAIRS_MAX];
static unsigned dirty[HD_XDP_PAIRS_MAX], n_dirty;

/* ---- out ---- */

static void put_message(struct outgoing *o, struct iovec *iov,
			struct msghdr *m)
{
	struct cmsghdr *c = (void *)o->control;
	uint16_t segment = (uint16_t)o->segment;

	*iov = (struct iovec){ o->data, o->len };
	*m = (struct msghdr){ .msg_name = &o->to,
			      .msg_namelen = sizeof(o->to),
			      .msg_iov = iov,
			      .msg_iovlen = 1 };
	if (o->len <= o->segment)
		return;
	m->msg_control = o->control;
	m->msg_controllen = sizeof(o->control);
	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(segment));
	memcpy(CMSG_DATA(c), &segment, sizeof(segment));
}

void hd_xdp_flush(void)
{
	static struct mmsghdr m[HD_XDP_PAIRS_MAX];
	static struct iovec iov[HD_XDP_PAIRS_MAX];
	unsigned at = 0;

	for (unsigned i = 0; i < n_dirty; i++)
		put_message(&out[dirty[i]], &iov[i], &m[i].msg_hdr);
	while (at < n_dirty) {
		int n = sendmmsg(fd, m + at, n_dirty - at, MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			break; /* lost */
		at += n > 0 ? (unsigned)n : 1;
	}
	for (unsigned i = 0; i < n_dirty; i++)
		out[dirty[i]].len = 0;
	n_dirty = 0;
}

static struct outgoing *room(unsigned pair, size_t n)
{
	struct outgoing *o = &out[pair];
	size_t most = gso ? SEGMENTS : 1;

	if (o->len > 0 && (n != o->segment || o->len + n > OUT_BYTES ||
			   o->len / o->segment >= most))
		hd_xdp_flush();
	if (o->data == NULL)
		o->data = malloc(OUT_BYTES);
	if (o->len == 0)
		dirty[n_dirty++] = pair;
	o->segment = n;
	return o;
}

/* ---- in ---- */

void hd_xdp_pass(const struct sockaddr_in *from, const uint8_t *p, size_t len)
{
	unsigned pair = ntohs(from->sin_port) - HD_XDP_FROM;
	size_t n = len - HD_XDP_FRAME_BYTES;
	struct outgoing *o;
	uint8_t *to;

	if (pair >= HD_XDP_PAIRS_MAX || len <= HD_XDP_FRAME_BYTES)
		return;
	o = room(pair, len);
	to = o->data + o->len;
	memcpy(to, p, HD_XDP_HEAD_BYTES);
	if (!hd_xdp_open(p, n, (uint8_t *)p + HD_XDP_HEAD_BYTES))
		return;
	memcpy(to + HD_XDP_HEAD_BYTES, p + HD_XDP_HEAD_BYTES, n);
	hd_xdp_seal(to, n);
	o->to = *from;
	o->to.sin_port = htons((uint16_t)(HD_XDP_TO + pair));
	o->len += len;
}

static size_t segment_of(struct msghdr *m, size_t n)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
			int each;

			memcpy(&each, CMSG_DATA(c), sizeof(each));
			return (size_t)each;
		}
	return n;
}

/* Returns whether there may be more. */
static bool receive(void)
{
	static struct mmsghdr m[IN];
	static struct iovec iov[IN];
	static struct sockaddr_in from[IN];
	static _Alignas(struct cmsghdr) uint8_t control[IN][64];
	int n;

	for (unsigned i = 0; i < IN; i++) {
		iov[i] = (struct iovec){ in + i * APART_BYTES, IN_BYTES };
		m[i].msg_hdr = (struct msghdr){
			.msg_name = &from[i],
			.msg_namelen = sizeof(from[i]),
			.msg_iov = &iov[i],
			.msg_iovlen = 1,
			.msg_control = control[i],
			.msg_controllen = sizeof(control[i]),
		};
	}
	n = recvmmsg(fd, m, IN, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		size_t each = segment_of(&m[i].msg_hdr, m[i].msg_len);

		for (size_t at = 0; at < m[i].msg_len; at += each)
			hd_xdp_pass(&from[i],
				    (uint8_t *)iov[i].iov_base + at,
				    HD_MIN(each, m[i].msg_len - at));
	}
	return n == IN;
}

static void set(int level, int name, int value)
{
	setsockopt(fd, level, name, &value, sizeof(value));
}

void hd_xdp_rest(uint64_t began_ns, unsigned hold_us)
{
	uint64_t until = began_ns + hold_us * UINT64_C(1000);
	struct timespec ts = { .tv_sec = (time_t)(until / 1000000000),
			       .tv_nsec = (long)(until % 1000000000) };

	if (hold_us > 0 && hd_clock_ns() < until)
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

void hd_xdp_socket(const struct hd_xdp_options *o)
{
	struct sockaddr_in any = { .sin_family = AF_INET,
				   .sin_port = htons(HD_XDP_PORT) };

	gso = o->gso;
	in = malloc((size_t)IN * APART_BYTES);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (in == NULL || bind(fd, (void *)&any, sizeof(any)) < 0)
		hd_xdp_fail("bind");
	set(SOL_SOCKET, SO_RCVBUFFORCE, KERNEL_BYTES);
	set(SOL_SOCKET, SO_SNDBUFFORCE, KERNEL_BYTES);
	if (gso)
		set(SOL_UDP, UDP_GRO, 1);
}

void hd_xdp_by_sockets(const struct hd_xdp_options *o)
{
	struct pollfd pfd = { .events = POLLIN };

	hd_xdp_socket(o);
	pfd.fd = fd;
	puts("ready");
	fflush(stdout);
	for (;;) {
		uint64_t began_ns;
		bool more;

		poll(&pfd, 1, -1);
		began_ns = hd_clock_ns();
		do {
			more = receive();
			hd_xdp_flush();
		} while (more);
		hd_xdp_rest(began_ns, o->hold_us);
	}
}

int main(int argc, char **argv)
{
	static const struct option names[] = { { "device", 1, NULL, 'd' },
					       { "hold", 1, NULL, 'h' },
					       { "no-gso", 0, NULL, 'g' },
					       { "whole", 0, NULL, 'w' },
					       { "in-only", 0, NULL, 'i' },
					       { NULL, 0, NULL, 0 } };
	struct hd_xdp_options o = { .gso = 1 };
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 'd')
			o.device = optarg;
		else if (c == 'h')
			o.hold_us = (unsigned)atoi(optarg);
		else if (c == 'g')
			o.gso = 0;
		else if (c == 'w')
			o.whole = 1;
		else if (c == 'i')
			o.in_only = 1;
		else
			return 2;
	}
	hd_xdp_aead_start();
	if (optind < argc && strcmp(argv[optind], "af_xdp") == 0)
		hd_xdp_by_af_xdp(&o);
	hd_xdp_by_sockets(&o);
}
