/* SPDX-License-Identifier: MIT */
/* tools/hdcat/door.c - sockets that listen. A name has several addresses
 * (localhost has two): one port for all of them, as ssh does. */
#include "tools/hdcat/conn.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 128
#define PORTS_TRIED 8 /* of port 0 */

static int spare = -1; /* a descriptor to let somebody in with, see below */

/* There are no more descriptors: who waits is sent away, else the socket would
 * be ready again and again. */
static void send_away(int listener)
{
	int fd;

	if (spare >= 0)
		close(spare);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	spare = eventfd(0, EFD_CLOEXEC);
}

static void on_door(struct watch *w, uint32_t events)
{
	struct door *d = ((struct door_socket *)w)->door;
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	static const int on = 1;
	struct conn *k;

	(void)events;
	_Static_assert(offsetof(struct door_socket, watch) == 0, "the cast");
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			send_away(w->fd);
		return;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	k = d->came(d, fd);
	if (k != NULL)
		conn_open(k);
}

static int add(struct door *d, int fd)
{
	struct door_socket *s = &d->v[d->n];
	int r;

	if (!d->at.udp && listen(fd, BACKLOG) < 0)
		return -errno;
	s->watch = (struct watch){
		.fd = fd,
		.ready = d->at.udp ? flow_came : on_door,
	};
	s->door = d;
	r = watch_set(&s->watch, EPOLLIN);
	d->n += r == 0;
	return r;
}

/* ---- TCP, UDP ---- */

/* With SO_REUSEADDR two may have one port of UDP. */
static int bound(const struct addrinfo *a, int type, int *ret)
{
	static const int on = 1;
	int fd = socket(a->ai_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (type == SOCK_STREAM)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on,
				 sizeof(on));
	if (a->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
				 sizeof(on));
	*ret = fd;
	return bind(fd, a->ai_addr, a->ai_addrlen) == 0 ? 0 : -errno;
}

/* The port that 0 has become. */
static void port_learn(struct door *d)
{
	union {
		struct sockaddr_in v4; /* the port is in the same place */
		struct sockaddr_in6 v6;
	} sa = { 0 };
	socklen_t n = sizeof(sa);

	if (getsockname(d->v[0].watch.fd, (struct sockaddr *)&sa, &n) == 0)
		snprintf(d->at.port, sizeof(d->at.port), "%u",
			 ntohs(sa.v4.sin_port));
}

static void port_set(struct addrinfo *a, const char *port)
{
	in_port_t v = htons((uint16_t)strtoul(port, NULL, 10));

	if (a->ai_family == AF_INET6)
		((struct sockaddr_in6 *)a->ai_addr)->sin6_port = v;
	else
		((struct sockaddr_in *)a->ai_addr)->sin_port = v;
}

static int ip_add(struct door *d, struct addrinfo *a)
{
	int fd = -1, r;

	if (a->ai_family != AF_INET && a->ai_family != AF_INET6)
		return -EAFNOSUPPORT;
	port_set(a, d->at.port);
	r = bound(a, d->at.udp ? SOCK_DGRAM : SOCK_STREAM, &fd);
	if (r == 0)
		r = add(d, fd);
	if (r < 0 && fd >= 0)
		close(fd);
	if (r == 0 && d->n == 1)
		port_learn(d);
	return r;
}

/* One that cannot be had is no fault if another can: a machine may lack IPv6.
 * But where another program listens at one of them, half of those who come
 * would be surprised. */
static int ip(struct door *d)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
				  .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	const char *host = strcmp(d->at.host, "*") == 0 ? NULL : d->at.host;
	struct addrinfo *found, *a;
	int r = -EADDRNOTAVAIL;

	if (getaddrinfo(host, d->at.port, &hints, &found) != 0)
		return -ENXIO;
	for (a = found; a != NULL && d->n < DOOR_SOCKETS; a = a->ai_next) {
		r = ip_add(d, a);
		if (r == -EADDRINUSE)
			break;
	}
	freeaddrinfo(found);
	return d->n > 0 && r != -EADDRINUSE ? 0 : r;
}

/* ---- unix ---- */

/* For its owner only, from the beginning. */
static int path(struct door *d)
{
	struct sockaddr_un un;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			0);
	mode_t before;
	int r;

	if (fd < 0)
		return -errno;
	target_unix(&d->at, &un);
	before = umask(0177);
	r = bind(fd, (const struct sockaddr *)&un, sizeof(un)) == 0 ? 0
								    : -errno;
	umask(before);
	if (r == 0)
		r = add(d, fd);
	if (r < 0)
		close(fd);
	return r;
}

static int open_once(struct hdcat *c, const struct target *at,
		     struct conn *(*came)(struct door *d, int fd),
		     struct door **ret)
{
	struct door *d = calloc(1, sizeof(*d));
	int r;

	*ret = NULL;
	if (d == NULL)
		return -ENOMEM;
	d->c = c;
	d->at = *at;
	d->came = came;
	r = target_is_path(at) ? path(d) : ip(d);
	if (r < 0)
		door_close(&d);
	*ret = d;
	return r;
}

/* A port that is free at one of a name's addresses may not be at the next. */
int door_open(struct hdcat *c, const struct target *at,
	      struct conn *(*came)(struct door *d, int fd), struct door **ret)
{
	bool any = strcmp(at->port, "0") == 0;
	int r = -EADDRINUSE;

	if (spare < 0)
		spare = eventfd(0, EFD_CLOEXEC);
	for (unsigned i = 0;
	     r == -EADDRINUSE && i < (any ? PORTS_TRIED : 1); i++)
		r = open_once(c, at, came, ret);
	return r;
}

void door_close(struct door **pd)
{
	struct door *d = *pd;

	if (d == NULL)
		return;
	*pd = NULL;
	flows_end(d);
	if (d->n > 0 && target_is_path(&d->at))
		(void)unlink(d->at.host);
	for (unsigned i = 0; i < d->n; i++)
		watch_close(&d->v[i].watch);
	free(d);
}
