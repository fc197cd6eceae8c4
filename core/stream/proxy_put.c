/* SPDX-License-Identifier: MIT */
/* core/stream/proxy_put.c - the PROXY protocol's header for a server behind us.
 *
 * Section numbers are those of haproxy's doc/proxy-protocol.txt. */
#include <hyper-derp/splice.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include "core/stream/proxied.h"
#include "core/stream/stream.h"

static const uint8_t signature[12] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
				       0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a };

enum { V2_PROXY = 0x21, V2_TCP4 = 0x11, V2_TCP6 = 0x21 };

struct ends { /* both of one family */
	union hd_addr from, to;
	bool v4;
};

static bool is_v4(const union hd_addr *a)
{
	return a->sa.sa_family == AF_INET ||
	       IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr);
}

/* sin_port and sin6_port stand at the same place. */
static void make_v4(union hd_addr *a)
{
	struct in_addr ip;

	if (a->sa.sa_family == AF_INET)
		return;
	memcpy(&ip, &a->in6.sin6_addr.s6_addr[12], sizeof(ip));
	a->in.sin_addr = ip;
	a->sa.sa_family = AF_INET;
}

static void make_v6(union hd_addr *a)
{
	static const struct in6_addr mapped = { { { [10] = 0xff, 0xff } } };
	struct in_addr ip = a->in.sin_addr;

	if (a->sa.sa_family != AF_INET)
		return;
	a->in6.sin6_addr = mapped;
	memcpy(&a->in6.sin6_addr.s6_addr[12], &ip, sizeof(ip));
	a->sa.sa_family = AF_INET6;
}

/* A proxy may name a client of another family than it came by. */
static struct ends ends_of(const struct hd_stream *s)
{
	struct ends e = { .from = *hd_proxied_named(s) };
	socklen_t n = sizeof(e.to);

	if (getsockname(s->fd, &e.to.sa, &n) < 0 || e.to.sa.sa_family == 0)
		e.to = e.from; /* it has just been closed */
	e.v4 = is_v4(&e.from) && is_v4(&e.to);
	if (e.v4) {
		make_v4(&e.from);
		make_v4(&e.to);
	} else {
		make_v6(&e.from);
		make_v6(&e.to);
	}
	return e;
}

static const void *ip_of(const union hd_addr *a)
{
	return a->sa.sa_family == AF_INET ? (const void *)&a->in.sin_addr
					  : &a->in6.sin6_addr;
}

/* Section 2.1. */
static size_t put_v1(const struct ends *e, uint8_t *buf)
{
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
	int family = e->from.sa.sa_family;

	inet_ntop(family, ip_of(&e->from), from, sizeof(from));
	inet_ntop(family, ip_of(&e->to), to, sizeof(to));
	return (size_t)snprintf((char *)buf, HD_PROXY_HEADER_BYTES,
				"PROXY TCP%d %s %s %u %u\r\n", e->v4 ? 4 : 6,
				from, to, ntohs(e->from.in.sin_port),
				ntohs(e->to.in.sin_port));
}

/* Section 2.2: addresses, then ports. */
static size_t put_v2(const struct ends *e, uint8_t *buf)
{
	size_t ip = e->v4 ? 4 : 16, at = sizeof(signature);

	memcpy(buf, signature, at);
	buf[at++] = V2_PROXY;
	buf[at++] = e->v4 ? V2_TCP4 : V2_TCP6;
	buf[at++] = 0;
	buf[at++] = (uint8_t)(2 * ip + 4);
	memcpy(buf + at, ip_of(&e->from), ip);
	memcpy(buf + at + ip, ip_of(&e->to), ip);
	at += 2 * ip;
	memcpy(buf + at, &e->from.in.sin_port, 2);
	memcpy(buf + at + 2, &e->to.in.sin_port, 2);
	return at + 4;
}

size_t hd_proxy_header_put(const struct hd_stream *s, unsigned version,
			   uint8_t *buf)
{
	struct ends e = ends_of(s);

	return version == 1 ? put_v1(&e, buf) : put_v2(&e, buf);
}
