/* SPDX-License-Identifier: MIT */
/* t/bench/far_link.c - a line between two network namespaces, as far as one
 * likes; for kernels that have no netem.
 *
 *   far_link NS DEV NS DEV KBIT DELAY_US LOSS_PPM QUEUE_US SEED
 *
 *   dev --lost?--> queue, KBIT out of it --DELAY_US later--> the other dev
 *
 * Each direction has its own. What would wait longer than QUEUE_US in the
 * queue is lost as well, as in a router that is full. Prints "ready" when both
 * interfaces are there; runs until it is killed. */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "t/bench/far_tun.h"

enum { PACKETS = 16384, PACKET_BYTES = 1536 };

struct packet {
	uint64_t due_ns;
	uint32_t bytes;
	uint8_t data[PACKET_BYTES];
};

struct way { /* one direction: a ring, in the order in which they are due */
	int from, to;
	uint32_t head, tail;
	uint64_t free_ns; /* the line has sent all before */
	uint64_t random;
	struct packet *v;
};

static struct line {
	uint64_t kbit, delay_ns, loss_ppm, queue_ns;
} line;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* xorshift64* (Vigna 2016) */
static bool is_lost(struct way *w)
{
	w->random ^= w->random >> 12;
	w->random ^= w->random << 25;
	w->random ^= w->random >> 27;
	return (w->random * 0x2545f4914f6cdd1d >> 32) % 1000000 <
	       line.loss_ppm;
}

static void take(struct way *w, uint64_t now, uint32_t bytes)
{
	struct packet *p = &w->v[w->tail % PACKETS];
	uint64_t from = w->free_ns > now ? w->free_ns : now;

	if (is_lost(w) || from - now > line.queue_ns ||
	    w->tail - w->head == PACKETS)
		return;
	w->free_ns = from + (uint64_t)bytes * 8 * 1000000 / line.kbit;
	p->bytes = bytes;
	p->due_ns = w->free_ns + line.delay_ns;
	w->tail++;
}

static void take_all(struct way *w)
{
	uint64_t now = now_ns();
	ssize_t n;

	while ((n = read(w->from, w->v[w->tail % PACKETS].data,
			 PACKET_BYTES)) > 0)
		take(w, now, (uint32_t)n);
}

/* Returns when the next is due. */
static uint64_t give(struct way *w)
{
	uint64_t now = now_ns();

	for (; w->head != w->tail; w->head++) {
		struct packet *p = &w->v[w->head % PACKETS];

		if (p->due_ns > now)
			return p->due_ns;
		/* an interface that is full loses it */
		if (write(w->to, p->data, p->bytes) < 0 && errno == EIO)
			exit(0); /* it is down: the namespace goes */
	}
	return UINT64_MAX;
}

static void rest(const struct way w[2], uint64_t due)
{
	struct pollfd fds[2] = { { .fd = w[0].from, .events = POLLIN },
				 { .fd = w[1].from, .events = POLLIN } };
	uint64_t now = now_ns(), ns = due > now ? due - now : 0;
	struct timespec t = { .tv_sec = (time_t)(ns / 1000000000),
			      .tv_nsec = (long)(ns % 1000000000) };

	ppoll(fds, 2, due == UINT64_MAX ? NULL : &t, NULL);
}

static void way_init(struct way *w, int from, int to, uint64_t seed)
{
	*w = (struct way){ .from = from, .to = to };
	w->random = seed * 0x9e3779b97f4a7c15 + 1;
	w->v = calloc(PACKETS, sizeof(*w->v));
	if (w->v == NULL)
		exit(1);
}

int main(int argc, char **argv)
{
	struct way w[2];
	int a, b;

	if (argc != 10) {
		fprintf(stderr, "far_link NS DEV NS DEV KBIT DELAY_US "
				"LOSS_PPM QUEUE_US SEED\n");
		return 2;
	}
	line = (struct line){ strtoull(argv[5], NULL, 10),
			      strtoull(argv[6], NULL, 10) * 1000,
			      strtoull(argv[7], NULL, 10),
			      strtoull(argv[8], NULL, 10) * 1000 };
	a = far_tun(argv[1], argv[2]);
	b = far_tun(argv[3], argv[4]);
	way_init(&w[0], a, b, 2 * strtoull(argv[9], NULL, 10) + 1);
	way_init(&w[1], b, a, 2 * strtoull(argv[9], NULL, 10) + 2);
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		uint64_t due = give(&w[0]), other = give(&w[1]);

		rest(w, due < other ? due : other);
		take_all(&w[0]);
		take_all(&w[1]);
	}
}
