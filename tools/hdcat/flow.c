/* SPDX-License-Identifier: MIT */
/* tools/hdcat/flow.c - datagrams in a stream: each is its length (2 bytes,
 * network byte order) and its bytes. A flow is what one address sends to a door
 * and has back; at the other end it has a socket of its own. It ends when
 * nothing has come either way for a while. What finds no room is lost, as UDP
 * does it: it never waits for the stream. */
#include "tools/hdcat/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define LENGTH_BYTES 2
#define DATAGRAM_MAX_BYTES (HALF_BYTES - LENGTH_BYTES)
#define ROUNDS_MAX 32 /* then others have a turn */

struct flow {
	const struct door_socket *door; /* NULL: k->watch is connected */
	struct sockaddr_storage from; /* with a door: who it is */
	socklen_t from_bytes;
	char *kept; /* until the first answer: to send it to the next address */
	size_t kept_bytes;
};

static void heard(struct conn *k)
{
	k->deadline_ms = now_us() / 1000 + (int64_t)k->c->udp_idle_s * 1000;
}

static int flow_new(struct conn *k)
{
	k->flow = calloc(1, sizeof(*k->flow));
	if (k->flow == NULL)
		return -ENOMEM;
	k->state = CONN_FLOW;
	heard(k);
	return 0;
}

static void kept_free(struct flow *f)
{
	free(f->kept);
	f->kept = NULL;
}

void flow_free(struct conn *k)
{
	if (k->flow == NULL)
		return;
	kept_free(k->flow);
	free(k->flow);
	k->flow = NULL;
}

void flow_evict(struct hdcat *c)
{
	struct conn *oldest = NULL;

	for (struct conn *k = c->conns; k != NULL; k = k->next)
		if (k->flow != NULL && (oldest == NULL ||
					k->deadline_ms < oldest->deadline_ms))
			oldest = k;
	if (oldest != NULL)
		conn_reset(oldest);
}

/* ---- to the stream ---- */

/* Returns 0; -errno: it has broken. */
static int up_flush(struct conn *k)
{
	struct half *b = &k->up;

	while (b->n > 0) {
		ssize_t n = libhd_stream_write(k->s, b->v + b->at, b->n);

		if (n <= 0)
			return n == -EAGAIN ? 0 : (int)n;
		b->at += (size_t)n;
		b->n -= (size_t)n;
	}
	b->at = 0;
	return 0;
}

static int up_put(struct conn *k, const char *data, size_t n)
{
	struct half *b = &k->up;
	int r = up_flush(k);

	if (r < 0)
		return r;
	if (n > DATAGRAM_MAX_BYTES ||
	    b->at + b->n + LENGTH_BYTES + n > sizeof(b->v))
		return 0; /* lost */
	b->v[b->at + b->n] = (char)(n >> 8);
	b->v[b->at + b->n + 1] = (char)n;
	memcpy(b->v + b->at + b->n + LENGTH_BYTES, data, n);
	b->n += LENGTH_BYTES + n;
	heard(k);
	return up_flush(k);
}

/* ---- from the stream ---- */

/* Nobody is there, which is told once to each socket: perhaps at the next
 * address. */
static void refused(struct conn *k)
{
	struct flow *f = k->flow;

	if (f->kept == NULL || dialer_next(k) < 0)
		return;
	(void)send(k->watch.fd, f->kept, f->kept_bytes, MSG_DONTWAIT);
}

static void keep(struct conn *k, const char *data, size_t n)
{
	struct flow *f = k->flow;

	kept_free(f);
	if (k->addr == NULL)
		return;
	f->kept = malloc(n > 0 ? n : 1);
	if (f->kept == NULL)
		return;
	memcpy(f->kept, data, n);
	f->kept_bytes = n;
}

static void datagram(struct conn *k, const char *data, size_t n)
{
	const struct flow *f = k->flow;

	heard(k);
	if (f->door != NULL) {
		(void)sendto(f->door->watch.fd, data, n, MSG_DONTWAIT,
			     (const struct sockaddr *)&f->from, f->from_bytes);
		return;
	}
	keep(k, data, n);
	if (send(k->watch.fd, data, n, MSG_DONTWAIT) < 0 &&
	    errno == ECONNREFUSED)
		refused(k);
}

/* Those that are whole. */
static void down_take(struct conn *k)
{
	struct half *b = &k->down;

	while (b->n >= LENGTH_BYTES) {
		const uint8_t *p = (const uint8_t *)b->v + b->at;
		size_t n = (size_t)p[0] << 8 | p[1];

		if (b->n < LENGTH_BYTES + n)
			break;
		datagram(k, (const char *)p + LENGTH_BYTES, n);
		b->at += LENGTH_BYTES + n;
		b->n -= LENGTH_BYTES + n;
	}
	memmove(b->v, b->v + b->at, b->n);
	b->at = 0;
}

/* Returns 0 nothing more for now; -errno, or -ENODATA: it has ended. */
static int down(struct conn *k)
{
	struct half *b = &k->down;

	for (;;) {
		ssize_t n = libhd_stream_read(k->s, b->v + b->n,
					      sizeof(b->v) - b->n);

		if (n <= 0)
			return n == -EAGAIN ? 0 : n == 0 ? -ENODATA : (int)n;
		b->n += (size_t)n;
		down_take(k);
		if (b->n == sizeof(b->v))
			return -EPROTO; /* longer than any may be */
	}
}

/* ---- sockets ---- */

/* From the socket of our own. Returns 0; -errno of the stream. */
static int from_socket(struct conn *k)
{
	char v[DATAGRAM_MAX_BYTES];

	for (unsigned i = 0; i < ROUNDS_MAX; i++) {
		ssize_t n = recv(k->watch.fd, v, sizeof(v),
				 MSG_DONTWAIT | MSG_TRUNC);
		int r;

		if (n < 0 && errno == ECONNREFUSED)
			refused(k);
		if (n < 0)
			return 0;
		kept_free(k->flow);
		r = (size_t)n > sizeof(v) ? 0 : up_put(k, v, (size_t)n);
		if (r < 0)
			return r;
	}
	return 0;
}

void flow_run(struct conn *k)
{
	int r = k->answers ? pump_answer(k) : 1;

	if (r == 1)
		r = up_flush(k);
	if (r == 0 && !k->answers)
		r = down(k);
	if (r == 0 && k->readable && k->flow->door == NULL)
		r = from_socket(k);
	k->readable = false;
	if (r < 0)
		conn_reset(k);
}

void flow_socket(struct conn *k)
{
	if (flow_new(k) < 0 || line_write(k->s, "ok") < 0 ||
	    watch_set(&k->watch, EPOLLIN) < 0)
		conn_reset(k);
	else
		flow_run(k);
}

/* ---- doors ---- */

static struct conn *flow_of(const struct door_socket *s,
			    const struct sockaddr_storage *from, socklen_t n)
{
	for (struct conn *k = s->door->c->conns; k != NULL; k = k->next)
		if (k->flow != NULL && k->flow->door == s &&
		    k->flow->from_bytes == n &&
		    memcmp(&k->flow->from, from, n) == 0)
			return k;
	return NULL;
}

static struct conn *flow_begin(struct door_socket *s,
			       const struct sockaddr_storage *from, socklen_t n)
{
	struct conn *k = s->door->came(s->door, -1);

	if (k == NULL)
		return NULL;
	if (flow_new(k) < 0) {
		conn_reset(k);
		return NULL;
	}
	k->flow->door = s;
	k->flow->from = *from;
	k->flow->from_bytes = n;
	return k;
}

void flows_end(struct door *d)
{
	struct conn *k, *next;

	for (k = d->c->conns; k != NULL; k = next) {
		next = k->next;
		if (k->flow != NULL && k->flow->door != NULL &&
		    k->flow->door->door == d)
			conn_reset(k);
	}
}

void flow_came(struct watch *w, uint32_t events)
{
	struct door_socket *s = (struct door_socket *)w;
	char v[DATAGRAM_MAX_BYTES];

	(void)events;
	for (unsigned i = 0; i < ROUNDS_MAX; i++) {
		struct sockaddr_storage from = { 0 };
		socklen_t from_n = sizeof(from);
		ssize_t n = recvfrom(w->fd, v, sizeof(v),
				     MSG_DONTWAIT | MSG_TRUNC,
				     (struct sockaddr *)&from, &from_n);
		struct conn *k;

		if (n < 0)
			return;
		if ((size_t)n > sizeof(v))
			continue;
		k = flow_of(s, &from, from_n);
		if (k == NULL)
			k = flow_begin(s, &from, from_n);
		if (k != NULL && up_put(k, v, (size_t)n) < 0)
			conn_reset(k);
	}
}
