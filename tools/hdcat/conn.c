/* SPDX-License-Identifier: MIT */
/* tools/hdcat/conn.c - see conn.h: what becomes of a connection. */
#include "tools/hdcat/files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_socket(struct watch *w, uint32_t events)
{
	struct conn *k = (struct conn *)w;

	_Static_assert(offsetof(struct conn, watch) == 0, "the cast");
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
		k->readable = true;
	conn_run(k);
}

struct conn *conn_new(struct hdcat *c, int fd, struct libhd_stream *s)
{
	struct conn *k = NULL;

	if (c->n_conns >= c->max_conns)
		flow_evict(c);
	if (c->n_conns < c->max_conns)
		k = calloc(1, sizeof(*k));
	else
		note(c, "more connections than --max-connections");
	if (k == NULL) {
		if (fd >= 0)
			close(fd);
		libhd_stream_close(&s);
		return NULL;
	}
	c->n_conns++;
	k->c = c;
	k->s = s;
	k->watch.fd = fd;
	k->watch.ready = on_socket;
	if (s != NULL)
		libhd_stream_set_user(s, k);
	k->said = c->hello;
	k->deadline_ms = now_us() / 1000 + HELLO_MS;
	k->next = c->conns;
	if (k->next != NULL)
		k->next->prev = k;
	c->conns = k;
	return k;
}

void conn_ended(struct conn *k)
{
	struct hdcat *c = k->c;

	if (k->prev != NULL)
		k->prev->next = k->next;
	else
		c->conns = k->next;
	if (k->next != NULL)
		k->next->prev = k->prev;
	c->n_conns--;
	dialer_free(k);
	inflow_free(k);
	flow_free(k);
	door_close(&k->door);
	if (k->way != NULL)
		way_lost(k->way);
	watch_close(&k->watch);
	libhd_stream_close(&k->s);
	free(k);
}

void conn_reset(struct conn *k)
{
	static const struct linger now = { .l_onoff = 1 };

	if (k->watch.fd >= 0)
		(void)setsockopt(k->watch.fd, SOL_SOCKET, SO_LINGER, &now,
				 sizeof(now));
	conn_ended(k);
}

void conn_last(struct conn *k)
{
	libhd_stream_end(k->s);
	k->state = CONN_LAST;
	k->deadline_ms = now_us() / 1000 + LAST_MS;
}

void conn_refuse(struct conn *k, const char *why)
{
	dialer_free(k);
	watch_close(&k->watch);
	if (line_write(k->s, "no %s", why) < 0) {
		conn_reset(k);
		return;
	}
	conn_last(k);
}

void conn_open(struct conn *k)
{
	k->state = CONN_OPEN;
	k->deadline_ms = 0;
	k->readable = true;
	conn_run(k);
}

/* What ping wants. What does not fit is lost: whoever sends more than it reads
 * has no use for it. Returns -1: it is at its end. */
static int echo(struct conn *k)
{
	char v[512];
	ssize_t n;

	while ((n = libhd_stream_read(k->s, v, sizeof(v))) > 0)
		(void)libhd_stream_write(k->s, v, (size_t)n);
	return n == -EAGAIN ? 0 : -1;
}

/* Whether nothing has come but its end, or it has broken. */
static bool stream_ended(struct conn *k)
{
	char v[64];

	return libhd_stream_read(k->s, v, sizeof(v)) != -EAGAIN;
}

static bool last_arrived(struct conn *k)
{
	return libhd_stream_unsent_bytes(k->s) == 0 ||
	       libhd_stream_write(k->s, "", 0) != -EPIPE;
}

static void open_run(struct conn *k)
{
	int r = pump_run(k);

	if (r < 0)
		conn_reset(k);
	else if (r > 0)
		conn_ended(k);
}

static void hello_run(struct conn *k)
{
	int r = line_read(&k->line, k->s);

	if (r == 1)
		k->said(k);
	else if (r < 0)
		conn_reset(k);
}

void conn_run(struct conn *k)
{
	switch (k->state) {
	case CONN_HELLO:
		hello_run(k);
		return;
	case CONN_LOOKUP:
	case CONN_CONNECT:
		dialer_run(k);
		return;
	case CONN_OPEN:
		open_run(k);
		return;
	case CONN_FLOW:
		flow_run(k);
		return;
	case CONN_ECHO:
		if (echo(k) < 0)
			conn_reset(k);
		return;
	case CONN_SOCKS:
		if (socks_run(k) < 0)
			conn_reset(k);
		return;
	case CONN_KEPT:
		if (stream_ended(k))
			conn_reset(k);
		return;
	case CONN_FILES:
		inflow_run(k);
		return;
	case CONN_LAST:
		if (last_arrived(k))
			conn_ended(k);
		return;
	}
}

/* ---- all of them ---- */

void conns_expire(struct hdcat *c)
{
	int64_t now = now_us() / 1000;
	struct conn *k, *next;

	for (k = c->conns; k != NULL; k = next) {
		next = k->next;
		if (k->state == CONN_FILES && k->again)
			inflow_run(k);
		else if (k->deadline_ms == 0 || k->deadline_ms > now)
			continue;
		else if (k->state == CONN_FILES)
			inflow_tick(k);
		else if (k->state == CONN_CONNECT)
			dialer_run(k); /* the next address */
		else
			conn_reset(k);
	}
}

int64_t conns_deadline_ms(const struct hdcat *c, int64_t until_ms)
{
	for (const struct conn *k = c->conns; k != NULL; k = k->next) {
		if (k->state == CONN_FILES && k->again)
			return now_us() / 1000;
		if (k->deadline_ms != 0 &&
		    (until_ms == 0 || k->deadline_ms < until_ms))
			until_ms = k->deadline_ms;
	}
	return until_ms;
}

void conns_free(struct hdcat *c)
{
	while (c->conns != NULL)
		conn_reset(c->conns);
}
