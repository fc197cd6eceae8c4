/* SPDX-License-Identifier: MIT */
/* core/stream/dial_socket.c - a connection to one address, as the kernel has
 * it. Context: the worker. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "core/base/addr.h"
#include "core/stream/accept.h"
#include "core/stream/dial_private.h"

static socklen_t length(const union hd_addr *a)
{
	return a->sa.sa_family == AF_INET ? sizeof(a->in) : sizeof(a->in6);
}

/* Returns 0 connected, or on its way; -errno. */
static int connect_from(int fd, const union hd_addr *from,
			const union hd_addr *to)
{
	int on = 1;

	if (from->sa.sa_family != 0) {
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
			   sizeof(on));
		if (bind(fd, &from->sa, length(from)) < 0)
			return -errno;
	}
	if (connect(fd, &to->sa, length(to)) < 0 && errno != EINPROGRESS)
		return -errno;
	return 0;
}

/* It is connected at once, or refused: EAGAIN is a full backlog. */
static int connect_path(int fd, const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	memcpy(to.sun_path, path, strlen(path) + 1);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return 0;
	return errno == EAGAIN ? -ECONNREFUSED : -errno;
}

int hd_dial_socket(const struct hd_dial *d, const union hd_addr *to)
{
	int fd = socket(to->sa.sa_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	if (d->to.path != NULL) {
		r = connect_path(fd, d->to.path);
	} else {
		hd_accept_options(fd, d->w->conf);
		hd_accept_congestion(fd, d->w->conf);
		r = connect_from(fd, &d->to.source, to);
	}
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

/* A port of ours that nobody listens on may be chosen for our own end: then TCP
 * connects it with itself. */
static bool is_itself(int fd, const union hd_addr *to)
{
	union hd_addr from = { 0 };
	socklen_t n = sizeof(from);

	return to->sa.sa_family != AF_UNIX &&
	       getsockname(fd, &from.sa, &n) == 0 && hd_addr_same(&from, to);
}

int hd_dial_look(const struct hd_stream *s)
{
	int e = 0;
	socklen_t n = sizeof(e);
	union hd_addr other;

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &e, &n) < 0)
		return -errno;
	if (e != 0)
		return -e;
	n = sizeof(other);
	if (getpeername(s->fd, &other.sa, &n) < 0)
		return errno == ENOTCONN ? 0 : -errno;
	return is_itself(s->fd, &s->addr) ? -ECONNREFUSED : 1;
}

int hd_dial_reason(int e)
{
	switch (e) {
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EADDRNOTAVAIL:
	case ENOENT: /* Unix sockets */
	case EACCES:
		return -EHOSTUNREACH;
	case ECONNREFUSED:
	case ETIMEDOUT:
	case ENOMEM:
		return -e;
	case EMFILE:
	case ENFILE:
		return -EMFILE;
	default:
		return -EIO;
	}
}
