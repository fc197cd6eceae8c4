/* SPDX-License-Identifier: MIT */
/* tools/lib/conn.c - connect, handshake, read and write with one deadline.
 *
 * The socket does not block; whatever cannot go on waits in conn_wait(). */
#include "tools/lib/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

bool conn_is_ip(const char *host)
{
	struct in6_addr addr;

	return inet_pton(AF_INET, host, &addr) == 1 ||
	       inet_pton(AF_INET6, host, &addr) == 1;
}

int conn_resolve(const char *host, const char *port, int family,
		 struct addrinfo **ret_list, struct hd_error *err)
{
	const struct addrinfo hints = { .ai_family = family,
					.ai_socktype = SOCK_STREAM };
	int r = getaddrinfo(host, port, &hints, ret_list);

	if (r == 0)
		return 0;
	return hd_error_set(err, r == EAI_AGAIN ? -EAGAIN : -ENOENT,
			    "%s port %s: %s", host, port, gai_strerror(r));
}

void conn_deadline(struct conn *c, int timeout_ms)
{
	c->deadline_us = now_us() + (int64_t)timeout_ms * 1000;
}

/* Returns 0 when the socket is ready; -ETIMEDOUT. */
static int conn_wait(struct conn *c, short events, struct hd_error *err)
{
	struct pollfd p = { .fd = c->fd, .events = events };

	for (;;) {
		int64_t left_us = c->deadline_us - now_us();
		int r = left_us <= 0 ? 0 : poll(&p, 1, left_us / 1000 + 1);

		if (r > 0)
			return 0;
		if (r == 0)
			return hd_error_set(err, -ETIMEDOUT,
					    "no answer in time");
		if (errno != EINTR)
			return hd_error_set(err, -errno, "poll: %m");
	}
}

static int conn_connect(struct conn *c, const struct addrinfo *to,
			struct hd_error *err)
{
	socklen_t len = sizeof(int);
	int soerr = 0, one = 1, r;

	c->fd = socket(to->ai_family,
		       SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return hd_error_set(err, -errno, "socket: %m");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(c->fd, to->ai_addr, to->ai_addrlen) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return hd_error_set(err, -errno, "connect: %m");
	r = conn_wait(c, POLLOUT, err);
	if (r < 0)
		return r;
	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &soerr, &len);
	if (soerr == 0)
		return 0;
	return hd_error_set(err, -soerr, "connect: %s", strerror(soerr));
}

int conn_open(const struct addrinfo *to, int timeout_ms, struct conn **ret_conn,
	      struct hd_error *err)
{
	struct conn *c = calloc(1, sizeof(*c));
	int r;

	if (c == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	conn_deadline(c, timeout_ms);
	r = conn_connect(c, to, err);
	if (r < 0)
		conn_close(&c);
	*ret_conn = c;
	return r;
}

void conn_close(struct conn **c)
{
	if (*c == NULL)
		return;
	SSL_free((*c)->ssl);
	if ((*c)->fd >= 0)
		close((*c)->fd);
	free(*c);
	*c = NULL;
}

static int tls_error(struct hd_error *err)
{
	unsigned long e = ERR_get_error();
	const char *text = ERR_reason_error_string(e);

	ERR_clear_error();
	return hd_error_set(err, -EPROTO, "TLS: %s",
			    text != NULL ? text : "broken off");
}

static int io_error(struct hd_error *err)
{
	if (errno == 0 || errno == ECONNRESET || errno == EPIPE)
		return hd_error_set(err, -ECONNRESET,
				    "the connection was closed");
	return hd_error_set(err, -errno, "%m");
}

/* After SSL_*() returned r <= 0: wait, so that it can be called again, or say
 * what is wrong. */
static int tls_wait(struct conn *c, int r, struct hd_error *err)
{
	switch (SSL_get_error(c->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		return conn_wait(c, POLLIN, err);
	case SSL_ERROR_WANT_WRITE:
		return conn_wait(c, POLLOUT, err);
	case SSL_ERROR_ZERO_RETURN:
		errno = 0;
		return io_error(err);
	case SSL_ERROR_SYSCALL:
		return io_error(err);
	default:
		return tls_error(err);
	}
}

int conn_start_tls(struct conn *c, SSL_CTX *ctx, const char *name,
		   struct hd_error *err)
{
	int r = 0;

	c->ssl = SSL_new(ctx);
	if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1 ||
	    (!conn_is_ip(name) && SSL_set_tlsext_host_name(c->ssl, name) != 1))
		return tls_error(err);
	while (r == 0) {
		int done;

		errno = 0;
		ERR_clear_error();
		done = SSL_connect(c->ssl);
		if (done == 1)
			return 0;
		r = tls_wait(c, done, err);
	}
	return r;
}

/* Returns bytes, or 0 after waiting, or negative errno. */
static ssize_t read_once(struct conn *c, void *buf, size_t n,
			 struct hd_error *err)
{
	ssize_t r;

	errno = 0;
	if (c->ssl != NULL) {
		ERR_clear_error();
		r = SSL_read(c->ssl, buf, (int)n);
		return r > 0 ? r : tls_wait(c, (int)r, err);
	}
	r = read(c->fd, buf, n);
	if (r > 0)
		return r;
	if (r < 0 && errno == EAGAIN)
		return conn_wait(c, POLLIN, err);
	return r < 0 && errno == EINTR ? 0 : io_error(err);
}

static ssize_t write_once(struct conn *c, const void *buf, size_t n,
			  struct hd_error *err)
{
	ssize_t r;

	errno = 0;
	if (c->ssl != NULL) {
		ERR_clear_error();
		r = SSL_write(c->ssl, buf, (int)n);
		return r > 0 ? r : tls_wait(c, (int)r, err);
	}
	r = send(c->fd, buf, n, MSG_NOSIGNAL);
	if (r > 0)
		return r;
	if (r < 0 && errno == EAGAIN)
		return conn_wait(c, POLLOUT, err);
	return r < 0 && errno == EINTR ? 0 : io_error(err);
}

int conn_fill(struct conn *c, struct hd_error *err)
{
	while (c->head == c->tail) {
		ssize_t r = read_once(c, c->buf, sizeof(c->buf), err);

		if (r < 0)
			return (int)r;
		c->head = 0;
		c->tail = (size_t)r;
	}
	return 0;
}

size_t conn_take(struct conn *c, void *buf, size_t n)
{
	n = HD_MIN(n, c->tail - c->head);
	memcpy(buf, c->buf + c->head, n);
	c->head += n;
	return n;
}

int conn_read(struct conn *c, void *buf, size_t n, struct hd_error *err)
{
	uint8_t *p = buf;

	while (n > 0) {
		int r = conn_fill(c, err);
		size_t got;

		if (r < 0)
			return r;
		got = conn_take(c, p, n);
		p += got;
		n -= got;
	}
	return 0;
}

int conn_write(struct conn *c, const void *buf, size_t n, struct hd_error *err)
{
	const uint8_t *p = buf;

	while (n > 0) {
		ssize_t r = write_once(c, p, n, err);

		if (r < 0)
			return (int)r;
		p += r;
		n -= (size_t)r;
	}
	return 0;
}
