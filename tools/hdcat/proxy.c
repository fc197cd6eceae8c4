/* SPDX-License-Identifier: MIT */
/* tools/hdcat/proxy.c - a connection that speaks SOCKS5 to us: what it asks for
 * becomes a stream, and it is told what has come of it. */
#include "tools/hdcat/conn.h"
#include "tools/hdcat/socks.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { NO_METHOD = 0xff, NOT_ALLOWED = 2, REFUSED = 5 };

static int say(struct conn *k, const void *v, size_t n)
{
	return send(k->watch.fd, v, n, MSG_DONTWAIT | MSG_NOSIGNAL) ==
			       (ssize_t)n
		       ? 0
		       : -EPROTO;
}

void socks_answer(struct conn *k, bool well)
{
	uint8_t v[10] = { SOCKS_VERSION, 0, 0, SOCKS_IPV4 };

	if (!well)
		v[1] = strstr(k->line.v, "allow") != NULL ? NOT_ALLOWED
							  : REFUSED;
	(void)say(k, v, sizeof(v));
	if (!well) /* what was said shall arrive: no reset */
		watch_close(&k->watch);
}

static void used(struct half *b, ssize_t n)
{
	b->at += (size_t)n;
	b->n -= (size_t)n;
}

/* Returns 1 go on; 0 later; -EPROTO. */
static int step(struct conn *k)
{
	const uint8_t *p = (const uint8_t *)k->up.v + k->up.at;
	uint8_t chosen[2] = { SOCKS_VERSION };
	bool none = false;
	ssize_t n;

	if (k->greeted) {
		n = socks_request(p, k->up.n, &k->to);
		if (n <= 0)
			return (int)n;
		used(&k->up, n);
		return socks_lead(k) < 0 ? -EPROTO : 1;
	}
	n = socks_greeting(p, k->up.n, &none);
	if (n <= 0)
		return (int)n;
	used(&k->up, n);
	k->greeted = true;
	chosen[1] = none ? 0 : NO_METHOD;
	if (say(k, chosen, sizeof(chosen)) < 0)
		return -EPROTO;
	return none ? 1 : -EPROTO;
}

int socks_run(struct conn *k)
{
	size_t at = k->up.at + k->up.n;
	ssize_t n = recv(k->watch.fd, k->up.v + at, sizeof(k->up.v) - at,
			 MSG_DONTWAIT);
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -EPROTO;
	k->up.n += (size_t)n;
	do
		r = step(k);
	while (r == 1 && k->s == NULL);
	if (r == 1)
		conn_open(k);
	return r < 0 ? r : 0;
}
