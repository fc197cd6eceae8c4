/* SPDX-License-Identifier: MIT */
/* core/stream/proxied.c - connections that come through proxies.
 *
 *   accepted --from a listed proxy--> HEADER DUE --whole--> hd_stream_begin()
 *      |                                  |
 *      `--from others: closed             `--none, a wrong one, late: closed
 *
 * Until the header is there it stays in the kernel's buffer, and is looked at
 * from its beginning each time that more comes: nothing of what follows it is
 * taken, so TLS, ours or the kernel's, begins as it does without a proxy. It
 * has login_timeout. Context: the stream's worker. */
#include "core/stream/proxied.h"
#include <hyper-derp/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include "core/base/addr.h"
#include "core/base/probes.h"
#include "core/net/listener.h"
#include "core/stream/arrival.h"
#include "core/stream/proxy_header.h"
#include "core/stream/stream_life.h"
#include "core/stream/visitor.h"

/* ---- who may come ---- */

static void refused(struct hd_worker *w, const struct hd_listener *l,
		    const union hd_addr *from, const char *why)
{
	char addr[HD_ADDR_TEXT_BYTES], text[HD_ADDR_TEXT_BYTES];

	hd_count(&w->stats.proxy_refused, 1);
	hd_log_notice("connection closed: from=%s listener=%s (%s)",
		      hd_addr_text(from, text), hd_addr_text(&l->addr, addr),
		      why);
}

bool hd_proxied_may_come(struct hd_worker *w, const struct hd_listener *l,
			 const union hd_addr *from)
{
	if (l->proxies.n == 0 || hd_prefixes_have(&l->proxies, from))
		return true;
	refused(w, l, from, "it is not in the listener's proxy_protocol");
	return false;
}

/* ---- whose it is ---- */

/* Returns false: without memory the stream ends, for the client cannot be
 * taken for the proxy. */
static bool comes_through(struct hd_stream *s)
{
	s->proxied = malloc(sizeof(*s->proxied));
	if (s->proxied == NULL) {
		hd_stream_abort(s, HD_CLOSE_ERROR);
		return false;
	}
	s->proxied->proxy = s->proxied->named = s->addr;
	return true;
}

static void named(struct hd_stream *s, const union hd_addr *client)
{
	if (!comes_through(s))
		return;
	s->proxied->named = s->addr = *client;
	HD_PROBE(proxied, s, s->worker->index, &s->addr, &s->proxied->proxy);
}

const union hd_addr *hd_proxied_named(const struct hd_stream *s)
{
	return s->proxied != NULL ? &s->proxied->named : &s->addr;
}

static void named_again(struct hd_stream *s)
{
	if (s->proxied == NULL)
		return;
	s->addr = s->proxied->named;
	if (hd_addr_same(&s->addr, &s->proxied->proxy))
		hd_proxied_free(&s->proxied);
}

void hd_proxied_forwarded(struct hd_stream *s, const union hd_addr *client)
{
	if (client == NULL) {
		named_again(s);
		return;
	}
	if (s->proxied == NULL && !comes_through(s))
		return;
	s->addr = *client;
	HD_PROBE(proxied, s, s->worker->index, &s->addr, &s->proxied->proxy);
}

void hd_proxied_free(struct hd_proxied **p)
{
	free(*p);
	*p = NULL;
}

const char *hd_proxied_text(const struct hd_stream *s,
			    char buf[HD_VIA_TEXT_BYTES])
{
	char addr[HD_ADDR_TEXT_BYTES];
	const union hd_addr *proxy = hd_stream_proxy(s);

	buf[0] = '\0';
	if (proxy != NULL)
		snprintf(buf, HD_VIA_TEXT_BYTES, " via=%s",
			 hd_addr_text(proxy, addr));
	return buf;
}

const union hd_addr *hd_stream_proxy(const struct hd_stream *s)
{
	return s->proxied != NULL ? &s->proxied->proxy : NULL;
}

/* ---- the header ---- */

static void close_it(struct hd_stream *s, enum hd_close cause, const char *why)
{
	refused(s->worker, s->listener, &s->addr, why);
	hd_stream_close(s, cause);
}

/* It is all there: what is behind it stays. */
static void take_header(struct hd_stream *s, int len,
			const union hd_addr *client)
{
	if (recv(s->fd, s->worker->plain, (size_t)len, MSG_DONTWAIT) != len) {
		hd_stream_abort(s, HD_CLOSE_ERROR);
		return;
	}
	s->proxy_due = false;
	if (client->sa.sa_family != AF_UNSPEC)
		named(s, client);
	if (!hd_stream_is_open(s))
		return;
	if (hd_visitor_renamed(s) &&
	    hd_arrival_passes(s->worker, s->listener, &s->addr,
			      hd_stream_proxy(s)))
		hd_stream_begin(s);
	else
		hd_stream_abort(s, HD_CLOSE_DENIED);
}

static void look_at(struct hd_stream *s, size_t n)
{
	union hd_addr client;
	const char *why;
	int len = hd_proxy_header_parse(s->worker->plain, n, &client, &why);

	if (len > 0) {
		take_header(s, len, &client);
	} else if (len < 0) {
		close_it(s, HD_CLOSE_PROTOCOL, why);
	} else {
		s->readable = false; /* more of it is another event */
		if (s->rx_hup)
			close_it(s, HD_CLOSE_PEER,
				 "its PROXY header ends early");
	}
}

void hd_proxied_read(struct hd_stream *s)
{
	size_t n = hd_stream_peek(s, HD_PROXY_HEADER_MAX_BYTES);

	if (n > 0)
		look_at(s, n);
}
