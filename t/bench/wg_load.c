/* SPDX-License-Identifier: MIT */
/* t/bench/wg_load.c - two WireGuard peers, as far as a relay can see.
 *
 *   wg_load --relay ADDRESS PORT --a ADDRESS PORT --b ADDRESS PORT
 *           [--keys A B] [--len BYTES] [--seconds S] [--cpu-of PID]...
 *           [--window PACKETS | --frames INTERFACE RELAY_MAC --rate PPS
 *           [--checksums]]
 *
 * With --keys (public keys, 64 hexadecimal digits) A and B do a handshake
 * first. A relay that holds no key sees of it: types, sizes, indices and a
 * right mac1; all of that is real. Then A sends transport data to B: from a
 * socket, with at most so many packets on the way, or as frames that a driver
 * hands over, at a fixed rate. --cpu-of: a task (a thread, a kernel thread)
 * whose CPU time is the relay's. One line of JSON. IPv4, or all of it IPv6. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "t/bench/wg_load.h"
#include "t/bench/tasks.h"

enum {
	PIDS_MAX = 64,
};

struct options o = { .len = 1452, .window = 192, .seconds = 5, .rate = 100000 };
static int pids[PIDS_MAX], n_pids;

void fail(const char *what)
{
	fprintf(stderr, "wg_load: %s\n", what);
	exit(1);
}

double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

void put64(uint8_t *p, uint64_t v)
{
	put32(p, (uint32_t)v);
	put32(p + 4, (uint32_t)(v >> 32));
}

static uint64_t cpu_ns(void)
{
	uint64_t sum;

	if (!tasks_ns(pids, n_pids, &sum))
		fail("a task of --cpu-of has gone");
	return sum;
}

static void load(const struct way *way, double seconds, struct result *ret)
{
	uint64_t cpu = cpu_ns();
	double start = now_s();

	memset(ret, 0, sizeof(*ret));
	way->run(seconds, ret);
	ret->seconds = now_s() - start;
	ret->cpu_ns = cpu_ns() - cpu;
}

static void print(const struct result *r)
{
	double cpu_s = (double)r->cpu_ns / 1e9;

	printf("{\"len\": %u, \"sent\": %llu, \"received\": %llu, "
	       "\"lost\": %lld, \"pps\": %.0f, \"cpu_s\": %.4f, "
	       "\"cpu_ns_per_packet\": %.1f, \"packets_per_cpu_s\": %.0f}\n",
	       o.len, (unsigned long long)r->sent,
	       (unsigned long long)r->received,
	       (long long)(r->sent - r->received),
	       (double)r->received / r->seconds, cpu_s,
	       r->received ? (double)r->cpu_ns / (double)r->received : 0,
	       cpu_s > 0 ? (double)r->received / cpu_s : 0);
}

/* ---- options ---- */

static char **arg;

static const char *next(void)
{
	if (arg[1] == NULL)
		fail("an argument is missing");
	return *++arg;
}

static union addr next_addr(void)
{
	union addr a = { .in6 = { .sin6_family = AF_INET6 } };
	const char *ip = next();

	if (inet_pton(AF_INET6, ip, &a.in6.sin6_addr) != 1) {
		a = (union addr){ .in = { .sin_family = AF_INET } };
		if (inet_pton(AF_INET, ip, &a.in.sin_addr) != 1)
			fail("no address");
	}
	a.in.sin_port = htons((uint16_t)atoi(next()));
	return a;
}

static void next_key(uint8_t key[KEY_BYTES])
{
	const char *hex = next();

	for (int i = 0; i < KEY_BYTES; i++)
		if (sscanf(hex + 2 * i, "%2hhx", &key[i]) != 1)
			fail("no key of 64 hexadecimal digits");
}

static void next_mac(uint8_t m[MAC_BYTES])
{
	if (sscanf(next(), "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", m, m + 1, m + 2,
		   m + 3, m + 4, m + 5) != MAC_BYTES)
		fail("no MAC address");
}

static void options(char **argv)
{
	for (arg = argv + 1; *arg != NULL; arg++) {
		if (strcmp(*arg, "--relay") == 0)
			o.relay = next_addr();
		else if (strcmp(*arg, "--a") == 0)
			o.a.addr = next_addr();
		else if (strcmp(*arg, "--b") == 0)
			o.b.addr = next_addr();
		else if (strcmp(*arg, "--len") == 0)
			o.len = (unsigned)atoi(next());
		else if (strcmp(*arg, "--window") == 0)
			o.window = (unsigned)atoi(next());
		else if (strcmp(*arg, "--rate") == 0)
			o.rate = atof(next());
		else if (strcmp(*arg, "--seconds") == 0)
			o.seconds = atof(next());
		else if (strcmp(*arg, "--cpu-of") == 0 && n_pids < PIDS_MAX)
			pids[n_pids++] = atoi(next());
		else if (strcmp(*arg, "--keys") == 0)
			next_key(o.a.key), next_key(o.b.key), o.has_keys = 1;
		else if (strcmp(*arg, "--checksums") == 0)
			o.checksums = 1;
		else if (strcmp(*arg, "--frames") == 0)
			o.frames = next(), next_mac(o.relay_mac);
		else
			fail("unknown option");
	}
	if (o.len < 32 || o.len > 65507 || o.window < BATCH)
		fail("--len 32..65507, --window 64 or more");
}

static socklen_t addr_bytes(const union addr *a)
{
	return a->sa.sa_family == AF_INET6 ? sizeof(a->in6) : sizeof(a->in);
}

static void open_peer(struct peer *p)
{
	int bytes = 8 << 20;

	p->fd = socket(o.relay.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (p->fd < 0 || bind(p->fd, &p->addr.sa, addr_bytes(&p->addr)) < 0 ||
	    connect(p->fd, &o.relay.sa, addr_bytes(&o.relay)) < 0)
		fail(strerror(errno));
	setsockopt(p->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	setsockopt(p->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
}

int main(int argc, char **argv)
{
	struct result r;

	(void)argc;
	options(argv);
	open_peer(&o.a);
	open_peer(&o.b);
	const struct way *way = o.frames ? &by_frames : &by_sockets;
	if (o.has_keys)
		handshake();
	way->open();
	load(way, o.seconds / 5, &r); /* neighbours, caches, the path */
	load(way, o.seconds, &r);
	print(&r);
	return r.received > 0 ? 0 : 1;
}
