/* SPDX-License-Identifier: MIT */
/* t/bench/wg_load_sockets.c - packets by sendmmsg() and recvmmsg(). */
#include <openssl/rand.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include "t/bench/wg_load.h"

enum { LEN_MAX = 65507, STALL_MS = 10 };

static struct mmsghdr out[BATCH], in[BATCH];
static struct iovec out_iov[BATCH], in_iov[BATCH];
static uint8_t *packets;

static uint64_t counter;

static void open_(void)
{
	uint8_t *sink = malloc(LEN_MAX);

	packets = calloc(BATCH, o.len);
	if (packets == NULL || sink == NULL)
		fail("out of memory");
	for (unsigned i = 0; i < BATCH; i++) {
		uint8_t *p = packets + (size_t)i * o.len;

		RAND_bytes(p, (int)o.len);
		put32(p, 4);
		put32(p + 4, INDEX_B);
		out_iov[i] = (struct iovec){ p, o.len };
		in_iov[i] = (struct iovec){ sink, LEN_MAX };
		out[i].msg_hdr = (struct msghdr){ .msg_iov = &out_iov[i],
						  .msg_iovlen = 1 };
		in[i].msg_hdr = (struct msghdr){ .msg_iov = &in_iov[i],
						 .msg_iovlen = 1 };
	}
}

static unsigned send_(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		put64(packets + (size_t)i * o.len + 8, counter++);
	int r = sendmmsg(o.a.fd, out, n, 0);
	return r > 0 ? (unsigned)r : 0;
}

static unsigned receive_(int wait_ms)
{
	struct pollfd pfd = { .fd = o.b.fd, .events = POLLIN };

	if (wait_ms > 0 && poll(&pfd, 1, wait_ms) <= 0)
		return 0;
	int r = recvmmsg(o.b.fd, in, BATCH, MSG_DONTWAIT, NULL);
	return r > 0 ? (unsigned)r : 0;
}

/* Returns whether the way is full and nothing came out of it for a while. */
static int round_(uint64_t *in_flight, struct result *r)
{
	if (*in_flight + BATCH <= o.window) {
		unsigned n = send_(BATCH);

		r->sent += n;
		*in_flight += n;
	}
	int full = *in_flight + BATCH > o.window;
	unsigned n = receive_(full ? STALL_MS : 0);
	r->received += n;
	*in_flight -= n < *in_flight ? n : *in_flight;
	return full && n == 0;
}

static void run(double seconds, struct result *r)
{
	double end = now_s() + seconds;
	uint64_t in_flight = 0;

	while (now_s() < end)
		if (round_(&in_flight, r))
			in_flight = 0; /* lost */
}

const struct way by_sockets = { open_, run };
