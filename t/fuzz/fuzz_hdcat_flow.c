/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_hdcat_flow.c - datagrams in a stream of hdcat, both ways: what
 * the other end says in its stream, and what comes to our socket, in any order
 * and in any pieces, with sockets that refuse and a stream without room.
 *
 * Input: 1 byte, bit 0: a door, else a connected socket; bit 1: the other end
 * says first whether it will. Then steps, each one byte and what it needs:
 * enum step. Streams, sockets and the rest of hdcat are stood in for by what is
 * here.
 *
 * What is sent are the datagrams that stand in the stream, one by one; what is
 * written are whole datagrams that have come, in order, though not all of
 * them. */
#include "tools/hdcat/conn.h"
#include <errno.h>
#include <hyper-derp/base.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum step {
	STREAM, /* length(2), so many bytes come */
	SOCKET, /* length(2), first byte(1): a datagram comes */
	ROOM, /* bytes(1) of 256: so much the stream takes */
	REFUSES, /* the socket, once */
	NEXT, /* there is another address */
	ANSWERS, /* the other end has said that it will */
	END, /* of the stream */
	STEPS,
};

#define STREAM_MAX_BYTES (1u << 18)
#define DATAGRAM_MAX_BYTES 32766 /* doc/reference/protocol-hdcat.md */

static uint8_t in[STREAM_MAX_BYTES]; /* of the stream */
static size_t in_n, in_read, in_sent;
static bool in_end;
static uint8_t out[DATAGRAM_MAX_BYTES + 2]; /* written, not looked at yet */
static size_t out_n, room;
static size_t came_bytes; /* of the datagram that waits; SIZE_MAX: none */
static uint8_t came_first;
static unsigned came_n, out_last; /* numbers of datagrams; the last written */
static uint8_t firsts[1 << 16]; /* of each; its length is in lengths */
static uint16_t lengths[1 << 16];
static bool refuses, has_next, again, answered, gone;
static size_t last_at, last_bytes; /* in `in`: what was sent last */
static struct conn *conn;

int64_t now_us(void)
{
	return 0;
}

int watch_set(struct watch *w, uint32_t events)
{
	(void)w, (void)events;
	return 0;
}

int line_write(struct libhd_stream *s, const char *fmt, ...)
{
	(void)s, (void)fmt;
	return 0;
}

int pump_answer(struct conn *k)
{
	k->answers = !answered;
	return answered;
}

void conn_reset(struct conn *k)
{
	flow_free(k);
	gone = true;
	if (k->c->conns == k)
		k->c->conns = NULL;
}

/* The kept one is sent to it. */
int dialer_next(struct conn *k)
{
	(void)k;
	if (!has_next)
		return -ENOENT;
	has_next = false;
	again = true;
	return 0;
}

/* ---- from the stream to the socket ---- */

ssize_t libhd_stream_read(struct libhd_stream *s, void *data, size_t n)
{
	(void)s;
	n = HD_MIN(n, in_n - in_read);
	if (n == 0)
		return in_end ? 0 : -EAGAIN;
	memcpy(data, in + in_read, n);
	in_read += n;
	return (ssize_t)n;
}

static ssize_t sent(const void *data, size_t n)
{
	if (!again) {
		hd_assert(in_read - in_sent >= 2 + n);
		hd_assert((size_t)(in[in_sent] << 8 | in[in_sent + 1]) == n);
		last_at = in_sent + 2;
		last_bytes = n;
		in_sent = last_at + n;
	}
	again = false;
	hd_assert(n == last_bytes && n <= DATAGRAM_MAX_BYTES);
	hd_assert(n == 0 || memcmp(data, in + last_at, n) == 0);
	if (!refuses)
		return (ssize_t)n;
	refuses = false;
	errno = ECONNREFUSED;
	return -1;
}

ssize_t send(int fd, const void *data, size_t n, int flags)
{
	(void)fd, (void)flags;
	return sent(data, n);
}

ssize_t sendto(int fd, const void *data, size_t n, int flags,
	       const struct sockaddr *to, socklen_t to_n)
{
	(void)fd, (void)flags, (void)to, (void)to_n;
	return sent(data, n);
}

/* ---- from the socket to the stream ---- */

ssize_t recv(int fd, void *data, size_t n, int flags)
{
	size_t had = came_bytes;

	(void)fd, (void)flags;
	if (refuses || had == SIZE_MAX) {
		errno = refuses ? ECONNREFUSED : EAGAIN;
		refuses = false;
		return -1;
	}
	came_bytes = SIZE_MAX;
	memset(data, came_first, HD_MIN(had, n));
	return (ssize_t)had;
}

ssize_t recvfrom(int fd, void *data, size_t n, int flags, struct sockaddr *from,
		 socklen_t *from_n)
{
	from->sa_family = AF_UNSPEC;
	*from_n = sizeof(*from);
	return recv(fd, data, n, flags);
}

/* Each is one that has come, later than the one before. */
static void written(const uint8_t *p, size_t n)
{
	while (out_last < came_n && (lengths[out_last] != n ||
				     (n > 0 && firsts[out_last] != p[0])))
		out_last++;
	hd_assert(out_last < came_n);
	out_last++;
	for (size_t i = 1; i < n; i++)
		hd_assert(p[i] == p[0]);
}

static void out_take(void)
{
	size_t at = 0;

	while (out_n - at >= 2) {
		size_t n = (size_t)(out[at] << 8 | out[at + 1]);

		hd_assert(n <= DATAGRAM_MAX_BYTES);
		if (out_n - at < 2 + n)
			break;
		written(out + at + 2, n);
		at += 2 + n;
	}
	out_n -= at;
	memmove(out, out + at, out_n);
}

ssize_t libhd_stream_write(struct libhd_stream *s, const void *data, size_t n)
{
	(void)s;
	n = HD_MIN(HD_MIN(n, room), sizeof(out) - out_n);
	if (n == 0)
		return -EAGAIN;
	memcpy(out + out_n, data, n);
	out_n += n;
	room -= n;
	out_take();
	return (ssize_t)n;
}

/* ---- steps ---- */

static struct conn *came(struct door *d, int fd)
{
	(void)fd;
	conn->c = d->c;
	conn->flow = NULL;
	if (gone)
		return NULL;
	d->c->conns = conn;
	return conn;
}

static size_t take(const uint8_t **p, size_t *n, size_t bytes)
{
	size_t v = 0;

	for (; bytes > 0 && *n > 0; bytes--, (*n)--)
		v = v << 8 | *(*p)++;
	return v;
}

static void stream(const uint8_t **p, size_t *n)
{
	size_t len = HD_MIN(take(p, n, 2), sizeof(in) - in_n);
	size_t had = HD_MIN(len, *n);

	memcpy(in + in_n, *p, had);
	memset(in + in_n + had, 0x7f, len - had); /* a long one */
	in_n += len;
	*p += had;
	*n -= had;
}

static void datagram(const uint8_t **p, size_t *n)
{
	came_bytes = take(p, n, 2);
	came_first = (uint8_t)take(p, n, 1);
	if (came_n == HD_ARRAY_N(lengths)) {
		came_bytes = SIZE_MAX;
		return;
	}
	lengths[came_n] = (uint16_t)came_bytes;
	firsts[came_n++] = came_first;
}

static void step(enum step what, const uint8_t **p, size_t *n)
{
	if (what == STREAM)
		stream(p, n);
	else if (what == SOCKET)
		datagram(p, n);
	else if (what == ROOM)
		room += take(p, n, 1) << 8;
	refuses |= what == REFUSES;
	has_next |= what == NEXT;
	answered |= what == ANSWERS;
	in_end |= what == END;
}

/* Whatever has been read, and is whole, has been sent. */
static void check(const struct conn *k)
{
	size_t left = in_read - in_sent;

	if (gone || k->flow == NULL || k->answers)
		return;
	hd_assert(in_read == in_n);
	hd_assert(left < 2 || left < 2u + (in[in_sent] << 8 | in[in_sent + 1]));
}

static void begin(struct conn *k, bool answers)
{
	in_n = in_read = in_sent = out_n = room = 0;
	came_bytes = SIZE_MAX;
	came_n = out_last = 0;
	in_end = refuses = has_next = again = answered = gone = false;
	k->answers = answers;
	conn = k;
}

static void run(struct conn *k, struct door_socket *door)
{
	if (came_bytes != SIZE_MAX && door->door != NULL)
		flow_came(&door->watch, 0);
	k->readable = true;
	if (!gone && k->flow != NULL)
		flow_run(k);
	check(k);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct addrinfo *const some = (struct addrinfo *)&in;
	static struct conn k;
	struct hdcat c = { .udp_idle_s = 60 };
	struct door door = { .c = &c, .came = came };
	struct door_socket socket = { 0 };

	if (n == 0)
		return 0;
	memset(&k, 0, sizeof(k));
	k.c = &c;
	k.addr = some; /* nobody looks into it */
	begin(&k, (p[0] & 2) != 0);
	if ((p[0] & 1) != 0)
		socket.door = &door;
	else
		flow_socket(&k);
	for (p++, n--; n > 0 && !gone;) {
		enum step what = *p % STEPS;

		p++, n--;
		step(what, &p, &n);
		run(&k, &socket);
	}
	flow_free(&k);
	return 0;
}
