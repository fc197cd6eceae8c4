/* SPDX-License-Identifier: MIT */
/* tools/hdcat/pump.c - bytes between a socket and a stream. A half that cannot
 * go on is not read either: what waits is bounded by HALF_BYTES here and the
 * windows of TCP and QUIC. */
#include "tools/hdcat/conn.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define ROUNDS_MAX 8 /* then another connection has a turn */

/* All four: how many bytes have moved, or 1 for an end; 0 not now; -errno. */

static ssize_t from_socket(struct conn *k)
{
	struct half *b = &k->up;
	ssize_t n;

	if (k->fd_eof || !k->readable)
		return 0;
	n = recv(k->watch.fd, b->v, sizeof(b->v), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		k->readable = errno == EINTR;
		return 0;
	}
	if (n < 0)
		return -errno;
	k->fd_eof = n == 0;
	b->at = 0;
	b->n = (size_t)n;
	return n > 0 ? n : 1;
}

static ssize_t to_stream(struct conn *k)
{
	struct half *b = &k->up;
	ssize_t n;

	if (b->n == 0) {
		if (!k->fd_eof || k->end_sent)
			return 0;
		libhd_stream_end(k->s);
		k->end_sent = true;
		return 1;
	}
	n = libhd_stream_write(k->s, b->v + b->at, b->n);
	if (n <= 0)
		return n == -EAGAIN ? 0 : n;
	b->at += (size_t)n;
	b->n -= (size_t)n;
	return n;
}

int pump_answer(struct conn *k)
{
	int r = line_read(&k->line, k->s);
	char text[TARGET_TEXT_BYTES];
	bool well;

	if (r <= 0)
		return r;
	well = strcmp(k->line.v, "ok") == 0;
	if (!well)
		note(k->c, "%s: the other end: %s", target_text(&k->to, text),
		     strncmp(k->line.v, "no ", 3) == 0 ? k->line.v + 3
						       : "(unclear)");
	k->answers = false;
	if (k->socks)
		socks_answer(k, well);
	return well ? 1 : -ECONNREFUSED;
}

static ssize_t from_stream(struct conn *k)
{
	struct half *b = &k->down;
	ssize_t n;

	if (k->s_eof)
		return 0;
	n = libhd_stream_read(k->s, b->v, sizeof(b->v));
	if (n < 0)
		return n == -EAGAIN ? 0 : n;
	b->at = 0;
	b->n = (size_t)n;
	if (n > 0)
		return n;
	k->s_eof = true;
	(void)shutdown(k->watch.fd, SHUT_WR);
	return 1;
}

static ssize_t to_socket(struct conn *k)
{
	struct half *b = &k->down;
	ssize_t n;

	if (b->n == 0)
		return 0;
	n = send(k->watch.fd, b->v + b->at, b->n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	b->at += (size_t)n;
	b->n -= (size_t)n;
	return n;
}

static ssize_t up(struct conn *k)
{
	return k->up.n > 0 || k->fd_eof || !k->readable ? to_stream(k)
							: from_socket(k);
}

static ssize_t down(struct conn *k)
{
	if (k->answers)
		return pump_answer(k);
	return k->down.n > 0 ? to_socket(k) : from_stream(k);
}

/* Once both halves of the socket have ended it is of no more use. */
static int interest(struct conn *k)
{
	uint32_t want = 0;

	if (k->watch.fd < 0)
		return 0;
	if (k->fd_eof && k->s_eof && k->down.n == 0) {
		watch_close(&k->watch);
		return 0;
	}
	if (!k->fd_eof && k->up.n == 0)
		want |= EPOLLIN;
	if (k->down.n > 0 || k->again)
		want |= EPOLLOUT; /* more is to do: it is ready at once */
	return watch_set(&k->watch, want);
}

/* The other end has all of it; or -errno: it never will. */
static int finished(struct conn *k)
{
	ssize_t r;

	if (!k->end_sent || !k->s_eof || k->down.n > 0)
		return 0;
	if (libhd_stream_unsent_bytes(k->s) == 0)
		return 1;
	r = libhd_stream_write(k->s, "", 0);
	return r < 0 && r != -EPIPE ? (int)r : 0;
}

int pump_run(struct conn *k)
{
	ssize_t a = 1, b = 1;
	int r;

	for (unsigned i = 0; i < ROUNDS_MAX && (a > 0 || b > 0); i++) {
		a = up(k);
		b = a < 0 ? a : down(k);
		if (b < 0)
			return (int)b;
	}
	k->again = a > 0 || b > 0;
	r = finished(k);
	return r != 0 ? r : interest(k);
}
