/* SPDX-License-Identifier: MIT */
/* t/bench/hd_xdp_load.c - what goes through hd_xdp, and comes out of it.
 *
 *   hd_xdp_load --relay ADDRESS --mine ADDRESS [--pairs N] [--size BYTES]
 *               [--rate PPS] [--burst N] [--seconds S] [--cpu-of PID]...
 *               [--frames INTERFACE --mac RELAY_MAC [--checksums]]
 *
 * Pairs of sockets, whose datagrams are due by turns, --burst of one together.
 * --cpu-of: a task whose CPU time is the relay's. It never sleeps, so that
 * nobody has to wake it. One line of JSON; latency counts from when a datagram
 * was due; of frames there is none. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "core/base/clock.h"
#include "t/bench/hd_xdp_load.h"
#include "t/bench/tasks.h"

#ifndef UDP_GRO
#define UDP_GRO 104 /* linux/udp.h */
#endif

enum { PIDS_MAX = 64, BATCH = 64, BUCKETS = 1 << 16, KERNEL_BYTES = 4 << 20 };

static struct hd_xdp_load opt = { .pairs = 10, .size = 1200, .burst = 1,
				  .rate = 40000, .seconds = 1 };

static int pids[PIDS_MAX], n_pids;
static int from[HD_XDP_PAIRS_MAX], to[HD_XDP_PAIRS_MAX], ep;
static uint64_t sent, received, wrong;
static uint32_t by_us[BUCKETS]; /* latency */

/* ---- CPU time ---- */

static uint64_t cpu_ns(void)
{
	uint64_t sum;

	if (!tasks_ns(pids, n_pids, &sum))
		hd_xdp_fail("a task of --cpu-of has gone");
	return sum;
}

/* ---- sockets ---- */

static int bound(unsigned port, bool sends)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port) };
	struct sockaddr_in relay = { .sin_family = AF_INET,
				     .sin_port = htons(HD_XDP_PORT) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1, bytes = KERNEL_BYTES;

	inet_pton(AF_INET, opt.mine, &a.sin_addr);
	inet_pton(AF_INET, opt.relay, &relay.sin_addr);
	if (bind(fd, (void *)&a, sizeof(a)) < 0 ||
	    (sends && connect(fd, (void *)&relay, sizeof(relay)) < 0))
		hd_xdp_fail("bind");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	if (!sends)
		setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof(on));
	return fd;
}

static void open_all(void)
{
	ep = epoll_create1(0);
	for (unsigned i = 0; i < opt.pairs; i++) {
		struct epoll_event e = { .events = EPOLLIN, .data.u32 = i };

		from[i] = bound(HD_XDP_FROM + i, true);
		to[i] = bound(HD_XDP_TO + i, false);
		epoll_ctl(ep, EPOLL_CTL_ADD, to[i], &e);
	}
}

/* ---- out and in ---- */

static void send_run(uint64_t n, uint64_t began_ns)
{
	static uint8_t data[BATCH][HD_XDP_MAX_BYTES];
	struct mmsghdr m[BATCH] = { 0 };
	struct iovec iov[BATCH];
	unsigned k = 0;
	int r;

	do {
		uint64_t end = ((sent + k) / opt.burst + 1) * opt.burst;
		uint64_t due_ns = began_ns +
				  (uint64_t)((double)end * 1e9 / opt.rate);

		memcpy(data[k] + HD_XDP_COUNTER, &due_ns, sizeof(due_ns));
		hd_xdp_seal(data[k], opt.size);
		iov[k] = (struct iovec){ data[k],
					 HD_XDP_FRAME_BYTES + opt.size };
		m[k].msg_hdr = (struct msghdr){ .msg_iov = &iov[k],
						.msg_iovlen = 1 };
		k++;
	} while (k < n && (sent + k) % opt.burst != 0);
	r = sendmmsg(from[sent / opt.burst % opt.pairs], m, k, 0);
	if (r <= 0 && errno != ENOBUFS)
		hd_xdp_fail("send");
	sent += k;
}

static void take(const uint8_t *p, size_t n, uint64_t now_ns)
{
	uint64_t due_ns, us;

	for (size_t at = 0; at < n; at += opt.size + HD_XDP_FRAME_BYTES) {
		memcpy(&due_ns, p + at + HD_XDP_COUNTER, sizeof(due_ns));
		us = (now_ns - due_ns) / 1000;
		by_us[HD_MIN(us, (uint64_t)BUCKETS - 1)]++;
		received++;
	}
	wrong += n % (opt.size + HD_XDP_FRAME_BYTES) != 0;
}

static void receive_all(void)
{
	static uint8_t data[65536];
	struct epoll_event e[HD_XDP_PAIRS_MAX];
	int n = epoll_wait(ep, e, HD_XDP_PAIRS_MAX, 0);

	for (int i = 0; i < n; i++) {
		ssize_t r = recv(to[e[i].data.u32], data, sizeof(data),
				 MSG_DONTWAIT);

		if (r > 0)
			take(data, (size_t)r, hd_clock_ns());
	}
}

static void run_sockets(double seconds)
{
	uint64_t began_ns = hd_clock_ns(), ns = (uint64_t)(seconds * 1e9), now;

	sent = received = 0;
	memset(by_us, 0, sizeof(by_us));
	while ((now = hd_clock_ns() - began_ns) < ns) {
		uint64_t due = (uint64_t)((double)now * opt.rate / 1e9);

		due -= due % opt.burst;
		for (unsigned k = 0; k < 4 && sent < due; k++)
			send_run(due - sent, began_ns);
		receive_all();
	}
	ns += 20000000;
	while (hd_clock_ns() - began_ns < ns)
		receive_all();
}

static void open_load(void)
{
	if (opt.frames != NULL)
		hd_xdp_frames_open(&opt);
	else
		open_all();
}

static void run(double seconds)
{
	if (opt.frames != NULL)
		hd_xdp_frames_run(&opt, seconds, &sent, &received);
	else
		run_sockets(seconds);
}

/* ---- result ---- */

static unsigned quantile(double share)
{
	uint64_t left = (uint64_t)((double)received * share);

	for (unsigned us = 0; us < BUCKETS; us++) {
		if (by_us[us] > left)
			return us;
		left -= by_us[us];
	}
	return BUCKETS;
}

static void print(uint64_t cpu)
{
	printf("{\"sent\": %llu, \"received\": %llu, \"wrong\": %llu, "
	       "\"pps\": %.0f, \"cpu_us\": %.4f, \"cores\": %.3f, "
	       "\"p50\": %u, \"p99\": %u}\n",
	       (unsigned long long)sent, (unsigned long long)received,
	       (unsigned long long)wrong, (double)received / opt.seconds,
	       received ? (double)cpu / 1000 / (double)received : 0,
	       (double)cpu / 1e9 / opt.seconds, quantile(0.5), quantile(0.99));
}

static void put_mac(const char *text)
{
	uint8_t *m = opt.relay_mac;

	if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", m, m + 1, m + 2,
		   m + 3, m + 4, m + 5) != 6)
		exit(2);
}

static void options(int argc, char **argv)
{
	static const struct option names[] = {
		{ "relay", 1, NULL, 'r' },   { "mine", 1, NULL, 'm' },
		{ "pairs", 1, NULL, 'p' },   { "size", 1, NULL, 's' },
		{ "rate", 1, NULL, 'R' },    { "burst", 1, NULL, 'b' },
		{ "seconds", 1, NULL, 'S' }, { "cpu-of", 1, NULL, 'c' },
		{ "frames", 1, NULL, 'f' },  { "mac", 1, NULL, 'a' },
		{ "checksums", 0, NULL, 'k' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 'r')
			opt.relay = optarg;
		else if (c == 'm')
			opt.mine = optarg;
		else if (c == 'p')
			opt.pairs = (unsigned)atoi(optarg);
		else if (c == 's')
			opt.size = (unsigned)atoi(optarg);
		else if (c == 'R')
			opt.rate = atof(optarg);
		else if (c == 'b')
			opt.burst = (unsigned)atoi(optarg);
		else if (c == 'S')
			opt.seconds = atof(optarg);
		else if (c == 'f')
			opt.frames = optarg;
		else if (c == 'a')
			put_mac(optarg);
		else if (c == 'k')
			opt.checked = true;
		else if (c == 'c' && n_pids < PIDS_MAX)
			pids[n_pids++] = atoi(optarg);
		else
			exit(2);
	}
	hd_assert(opt.pairs > 0 && opt.pairs <= HD_XDP_PAIRS_MAX);
	hd_assert(opt.burst > 0 && opt.burst <= BATCH);
	hd_assert(opt.size > 0 &&
		  opt.size + HD_XDP_FRAME_BYTES <= HD_XDP_MAX_BYTES);
	hd_assert(opt.relay != NULL && opt.mine != NULL);
}

int main(int argc, char **argv)
{
	uint64_t cpu;

	options(argc, argv);
	hd_xdp_aead_start();
	open_load();
	run(0.1); /* neighbours, caches */
	cpu = cpu_ns();
	run(opt.seconds);
	print(cpu_ns() - cpu);
	return received > 0 ? 0 : 1;
}
