/* SPDX-License-Identifier: MIT */
/* tools/hdcat/dialer.c - a socket for a stream: looks the name up, and tries
 * its addresses in turn. While a name is looked up the conn's watch has the
 * lookup's descriptor. */
#include "tools/hdcat/conn.h"
#include "tools/hdcat/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

void dialer_free(struct conn *k)
{
	if (k->lookup != NULL) {
		(void)watch_set(&k->watch, 0);
		k->watch.fd = -1; /* the lookup closes it */
	}
	lookup_free(&k->lookup);
	if (k->addrs != NULL)
		freeaddrinfo(k->addrs);
	k->addrs = k->addr = NULL;
}

static void done(struct conn *k)
{
	static const int on = 1;

	if (k->to.udp) {
		flow_socket(k); /* and it may want the next address */
		return;
	}
	dialer_free(k);
	(void)setsockopt(k->watch.fd, IPPROTO_TCP, TCP_NODELAY, &on,
			 sizeof(on)); /* a unix socket has none */
	if (line_write(k->s, "ok") < 0)
		conn_reset(k);
	else
		conn_open(k);
}

/* Returns 0 there; -EINPROGRESS it will tell; -errno not this one. */
static int try(struct conn *k, int family, const struct sockaddr *sa,
	       socklen_t n)
{
	int type = k->to.udp ? SOCK_DGRAM : SOCK_STREAM;

	k->watch.fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (k->watch.fd < 0)
		return -errno;
	if (connect(k->watch.fd, sa, n) == 0)
		return 0;
	if (errno == EINPROGRESS && watch_set(&k->watch, EPOLLOUT) == 0)
		return -EINPROGRESS;
	return -errno;
}

/* why: what became of the last one. */
static void next_address(struct conn *k, int why)
{
	while (k->addr != NULL) {
		const struct addrinfo *a = k->addr;

		k->addr = a->ai_next;
		why = try(k, a->ai_family, a->ai_addr, a->ai_addrlen);
		if (why == 0) {
			done(k);
			return;
		}
		if (why == -EINPROGRESS) {
			k->state = CONN_CONNECT;
			k->deadline_ms = now_us() / 1000 + CONNECT_MS;
			return;
		}
		watch_close(&k->watch);
	}
	conn_refuse(k, strerror(-why));
}

int dialer_next(struct conn *k)
{
	while (k->addr != NULL) {
		const struct addrinfo *a = k->addr;

		k->addr = a->ai_next;
		watch_close(&k->watch);
		if (try(k, a->ai_family, a->ai_addr, a->ai_addrlen) == 0)
			return watch_set(&k->watch, EPOLLIN);
	}
	return -ENOENT;
}

static void looked_up(struct conn *k)
{
	struct addrinfo *found = NULL;
	eventfd_t v;
	int r;

	if (read(lookup_fd(k->lookup), &v, sizeof(v)) != sizeof(v))
		return; /* it was the stream that called */
	r = lookup_take(k->lookup, &found);
	dialer_free(k);
	if (r != 0) {
		conn_refuse(k, gai_strerror(r));
		return;
	}
	k->addrs = k->addr = found;
	next_address(k, -EADDRNOTAVAIL);
}

static void connected(struct conn *k)
{
	struct pollfd p = { .fd = k->watch.fd, .events = POLLOUT };
	socklen_t n = sizeof(int);
	int error = 0;

	if (poll(&p, 1, 0) == 0) {
		if (now_us() / 1000 < k->deadline_ms)
			return;
		error = ETIMEDOUT;
	} else if (getsockopt(k->watch.fd, SOL_SOCKET, SO_ERROR, &error, &n) <
		   0) {
		error = errno;
	}
	if (error == 0) {
		done(k);
		return;
	}
	watch_close(&k->watch);
	next_address(k, -error);
}

void dialer_run(struct conn *k)
{
	ssize_t r = libhd_stream_write(k->s, "", 0);

	if (r < 0)
		conn_reset(k); /* nobody waits for it any more */
	else if (k->state == CONN_LOOKUP)
		looked_up(k);
	else
		connected(k);
}

static void path_begin(struct conn *k)
{
	struct sockaddr_un un;
	int r;

	target_unix(&k->to, &un);
	r = try(k, AF_UNIX, (const struct sockaddr *)&un, sizeof(un));
	if (r == 0)
		done(k);
	else
		conn_refuse(k, strerror(-r));
}

void dialer_begin(struct conn *k)
{
	int r;

	if (target_is_path(&k->to)) {
		path_begin(k);
		return;
	}
	r = lookup_begin(k->to.host, k->to.port, &k->lookup);
	if (r == 0) {
		k->state = CONN_LOOKUP;
		k->deadline_ms = now_us() / 1000 + HELLO_MS;
		k->watch.fd = lookup_fd(k->lookup);
		r = watch_set(&k->watch, EPOLLIN);
	}
	if (r < 0)
		conn_refuse(k, strerror(-r));
}
