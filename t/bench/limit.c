/* SPDX-License-Identifier: MIT */
/* t/bench/limit.c - what a packet must cost a relay, whoever writes it: a
 * process on CPU 0 takes bytes from one TCP connection and puts them into
 * another, and another on CPU 1 makes and takes them as fast as it can. No keys
 * are looked up, no queue is kept, nobody logs in. Its steps:
 *
 *   pass   recv(2) into a buffer and send(2) from it: two passes through TCP
 *   copy   and each frame is copied to where it is sent from, as a relay must
 *          that gathers frames of several senders
 *   aes    and is opened before and sealed behind, in records of 16 KiB
 *
 * Usage: limit [--pairs N] [--seconds S] [--read BYTES] [--size BYTES] [--half]
 * --half: beside a busy loop, so that the load is not the limit. The congestion
 * control is the system's. Prints CPU time a packet, getrusage(2). */
#include "t/unit/unit.h"
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "core/base/clock.h"
#include "core/tls/aead.h"

enum {
	PAIRS_MAX = 1024,
	BATCH = 16, /* records that leave the load in one write(2) */
	FRAME_BYTES = 1437 - 1400, /* DERP's head and key before a packet */
	BEHIND_BYTES = 17, /* type of content and tag of a record */
	CHUNK_BYTES = 16384,
	READ_MAX_BYTES = 256 * 1024,
};

enum step { PASS, COPY, AES };

static struct {
	unsigned pairs, seconds, size, read;
	bool half;
} opt = { 10, 2, 1400, 65536, false };

static int in[PAIRS_MAX], out[PAIRS_MAX]; /* the relay's ends */
static int from[PAIRS_MAX], to[PAIRS_MAX]; /* the load's */

static uint8_t batch[BATCH * 2048]; /* what a sender writes */
static size_t record_bytes, batch_bytes;

static const struct hd_aead *aead;
static void *open_key, *seal_key;
static const uint8_t nonce[HD_TLS_IV_BYTES];

/* ---- sockets, processes ---- */

static void connect_one(int listener, int *ret_ours, int *ret_load)
{
	struct sockaddr_in addr;
	socklen_t n = sizeof(addr);

	hd_assert(getsockname(listener, (void *)&addr, &n) == 0);
	*ret_load = socket(AF_INET, SOCK_STREAM, 0);
	hd_assert(connect(*ret_load, (void *)&addr, sizeof(addr)) == 0);
	*ret_ours = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	hd_assert(*ret_ours >= 0);
}

static void connect_all(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr =
					    htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	hd_assert(bind(listener, (void *)&addr, sizeof(addr)) == 0);
	hd_assert(listen(listener, 16) == 0);
	for (unsigned i = 0; i < opt.pairs; i++) {
		connect_one(listener, &in[i], &from[i]);
		connect_one(listener, &out[i], &to[i]);
	}
	close(listener);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static pid_t begin(void (*run)(void), int cpu)
{
	pid_t pid = fork();

	hd_assert(pid >= 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pin(cpu);
	run();
	_exit(0);
}

static void busy_loop(void)
{
	for (volatile unsigned i = 0;; i++)
		;
}

/* ---- the load ---- */

static void load(void)
{
	static uint8_t sink[READ_MAX_BYTES];
	static size_t done[PAIRS_MAX]; /* of a batch */

	for (;;) {
		for (unsigned i = 0; i < opt.pairs; i++) {
			ssize_t n = send(from[i], batch + done[i],
					 batch_bytes - done[i],
					 MSG_DONTWAIT | MSG_NOSIGNAL);

			if (n > 0)
				done[i] = (done[i] + (size_t)n) % batch_bytes;
		}
		for (unsigned i = 0; i < opt.pairs; i++)
			recv(to[i], sink, 65536, MSG_DONTWAIT);
	}
}

/* ---- the relay ---- */

struct pass {
	size_t part; /* of a record, at the buffer's start */
	uint8_t kept[2048];
	uint8_t *left; /* what the kernel did not take */
	size_t n_left;
	uint64_t bytes;
};

static struct pass passes[PAIRS_MAX];
static _Alignas(64) uint8_t wire[READ_MAX_BYTES + 4096];
static _Alignas(64) uint8_t plain[READ_MAX_BYTES + 4096];
static _Alignas(64) uint8_t sealed[2 * READ_MAX_BYTES];

/* Frames that were opened, or came without TLS, n bytes: copied into chunks
 * that are sealed where they are. Returns the bytes to send. */
static size_t fill(const uint8_t *p, size_t n, enum step step)
{
	size_t head = step == AES ? HD_AEAD_HEAD_BYTES : 0;
	size_t behind = step == AES ? BEHIND_BYTES : 0;
	size_t most = CHUNK_BYTES / (opt.size + FRAME_BYTES), end = 0;

	while (n > 0) {
		size_t take = HD_MIN(n, most * (opt.size + FRAME_BYTES));
		uint8_t *record = sealed + end;

		for (size_t at = 0; at < take; at += opt.size + FRAME_BYTES)
			memcpy(record + head + at, p + at,
			       HD_MIN(take - at, opt.size + FRAME_BYTES));
		if (step == AES)
			aead->seal(seal_key, nonce, record, head, take + 1);
		end += head + take + behind;
		p += take;
		n -= take;
	}
	return end;
}

static size_t open_records(struct pass *p, size_t n)
{
	size_t got = 0, at = 0;

	for (; n - at >= record_bytes; at += record_bytes) {
		hd_assert(aead->open(open_key, nonce, wire + at,
				     HD_AEAD_HEAD_BYTES,
				     record_bytes - HD_AEAD_HEAD_BYTES -
					     HD_TLS_TAG_BYTES,
				     plain + got) == 0);
		got += opt.size + FRAME_BYTES;
	}
	p->part = n - at;
	memcpy(p->kept, wire + at, p->part);
	return got;
}

static void put(unsigned i, uint8_t *data, size_t n)
{
	struct pass *p = &passes[i];
	ssize_t sent = n > 0 ? send(out[i], data, n,
				    MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
	size_t took = sent > 0 ? (size_t)sent : 0;

	p->n_left = n - took;
	if (p->n_left > 0 && p->left == NULL)
		p->left = malloc(sizeof(sealed));
	if (p->n_left > 0)
		memmove(p->left, data + took, p->n_left);
}

/* Returns whether there may be more to read. */
static bool turn(unsigned i, enum step step)
{
	struct pass *p = &passes[i];
	ssize_t n;

	if (p->n_left > 0)
		put(i, p->left, p->n_left);
	if (p->n_left > 0)
		return false;
	memcpy(wire, p->kept, p->part);
	n = recv(in[i], wire + p->part, opt.read, MSG_DONTWAIT);
	if (n <= 0)
		return false;
	p->bytes += (size_t)n;
	if (step == PASS)
		put(i, wire, (size_t)n);
	else if (step == COPY)
		put(i, sealed, fill(wire, (size_t)n, step));
	else
		put(i, sealed,
		    fill(plain, open_records(p, p->part + (size_t)n), step));
	return (size_t)n == opt.read;
}

static void watch_all(int ep)
{
	for (unsigned i = 0; i < opt.pairs; i++) {
		struct epoll_event e = { .events = EPOLLIN | EPOLLET,
					 .data.u32 = i };
		struct epoll_event o = { .events = EPOLLOUT | EPOLLET,
					 .data.u32 = i };

		hd_assert(epoll_ctl(ep, EPOLL_CTL_ADD, in[i], &e) == 0);
		hd_assert(epoll_ctl(ep, EPOLL_CTL_ADD, out[i], &o) == 0);
	}
}

static void relay_for(int ep, enum step step, uint64_t ns)
{
	static bool more[PAIRS_MAX];
	struct epoll_event e[256];
	uint64_t until = hd_clock_ns() + ns;
	bool any = true;

	while (hd_clock_ns() < until) {
		int n = epoll_wait(ep, e, 256, any ? 0 : 10);

		for (int k = 0; k < n; k++)
			more[e[k].data.u32] = true;
		any = false;
		for (unsigned i = 0; i < opt.pairs; i++)
			if (more[i])
				any |= more[i] = turn(i, step);
	}
}

static uint64_t bytes_in(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < opt.pairs; i++)
		n += passes[i].bytes;
	return n;
}

static double cpu_us(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return 1e6 * (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

/* ---- one step ---- */

static void make_batch(enum step step)
{
	size_t n = opt.size + FRAME_BYTES;

	record_bytes = n;
	if (step == AES)
		record_bytes += HD_AEAD_HEAD_BYTES + BEHIND_BYTES;
	batch_bytes = BATCH * record_bytes;
	hd_assert(batch_bytes <= sizeof(batch));
	for (unsigned i = 0; step == AES && i < BATCH; i++)
		aead->seal(seal_key, nonce, batch + i * record_bytes,
			   HD_AEAD_HEAD_BYTES, n + 1);
}

static void measure(const char *name, enum step step)
{
	pid_t hog = 0, loader;
	uint64_t bytes;
	double us;
	int ep = epoll_create1(0);

	make_batch(step);
	connect_all();
	loader = begin(load, 1);
	if (opt.half)
		hog = begin(busy_loop, 0);
	memset(passes, 0, sizeof(passes));
	watch_all(ep);
	relay_for(ep, step, 300 * 1000000ull);
	bytes = bytes_in();
	us = cpu_us();
	relay_for(ep, step, opt.seconds * 1000000000ull);
	us = cpu_us() - us;
	bytes = bytes_in() - bytes;
	printf("%s: %.3f us a packet, %.2f cores, %.0f packets/s\n", name,
	       us / ((double)bytes / (double)record_bytes),
	       us / 1e6 / opt.seconds,
	       (double)bytes / (double)record_bytes / opt.seconds);
	fflush(stdout);
	kill(loader, SIGKILL);
	waitpid(loader, NULL, 0);
	if (hog > 0)
		kill(hog, SIGKILL);
	if (hog > 0)
		waitpid(hog, NULL, 0);
	for (unsigned i = 0; i < opt.pairs; i++) {
		close(in[i]);
		close(out[i]);
		close(from[i]);
		close(to[i]);
	}
	close(ep);
}

static void options(int argc, char **argv)
{
	static const struct option names[] = {
		{ "pairs", 1, NULL, 'p' },   { "seconds", 1, NULL, 's' },
		{ "size", 1, NULL, 'b' },    { "read", 1, NULL, 'r' },
		{ "half", 0, NULL, 'h' },    { NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 'p')
			opt.pairs = (unsigned)atoi(optarg);
		else if (c == 's')
			opt.seconds = (unsigned)atoi(optarg);
		else if (c == 'b')
			opt.size = (unsigned)atoi(optarg);
		else if (c == 'r')
			opt.read = (unsigned)atoi(optarg);
		else if (c == 'h')
			opt.half = true;
		else
			exit(2);
	}
	hd_assert(opt.pairs <= PAIRS_MAX && opt.read <= READ_MAX_BYTES);
}

int main(int argc, char **argv)
{
	const struct hd_tls_suite *suite = hd_tls_suite_at(0);
	static const uint8_t key[HD_TLS_KEY_MAX_BYTES];

	options(argc, argv);
	hd_assert(hd_aead_start(HD_CRYPTO_AUTO, NULL) == 0);
	aead = hd_aead_of(suite);
	open_key = aead->make(suite);
	seal_key = aead->make(suite);
	hd_assert(aead->expand(open_key, key, false) == 0);
	hd_assert(aead->expand(seal_key, key, true) == 0);
	pin(0);
	measure("pass", PASS);
	measure("copy", COPY);
	measure("aes", AES);
	aead->drop(&open_key);
	aead->drop(&seal_key);
	return 0;
}
