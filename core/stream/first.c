/* SPDX-License-Identifier: MIT */
/* core/stream/first.c - what a connection speaks first: HTTP, or the service of
 * a module, because the listener names it or because the client chose it by
 * ALPN.
 *
 *   accepted --plain-----------------------------------> opened() -> data()
 *      `--TLS--> first flight: ALPN --> handshake done --^
 *
 * Until opened() the module has not heard of the stream, and does not hear of
 * its end either. Context: the stream's worker. */
#include "core/stream/first.h"
#include <hyper-derp/log.h>
#include "core/base/module_id.h"
#include "core/net/listener.h"
#include "core/stream/hello.h"
#include "core/stream/proxied.h"
#include "core/stream/service.h"
#include "core/stream/stream_life.h"
#include "core/tls/tls.h"

/* ---- before it speaks ---- */

bool hd_first_look(struct hd_stream *s)
{
	if (s->rx_eof || (!s->proxy_due && !s->hello_due))
		return false;
	if (s->proxy_due)
		hd_proxied_read(s);
	else
		hd_hello_read(s);
	return true;
}

/* ---- by the listener ---- */

static void log_refused(const struct hd_listener *l, const union hd_addr *from,
			const char *why)
{
	char addr[HD_ADDR_TEXT_BYTES], text[HD_ADDR_TEXT_BYTES];

	hd_log_notice("connection closed: from=%s listener=%s protocol=%s "
		      "(%s)",
		      hd_addr_text(from, text), hd_addr_text(&l->addr, addr),
		      l->protocol, why);
}

bool hd_first_find(struct hd_worker *w, const struct hd_listener *l,
		   const union hd_addr *from, struct hd_first *ret)
{
	const struct hd_service_entry *e;

	*ret = (struct hd_first){ .proto = w->streams->first_proto };
	if (l->protocol == NULL)
		return true;
	e = hd_service_find(l->protocol);
	if (e == NULL || (e->service->tls_only && !l->tls)) {
		log_refused(l, from,
			    e == NULL ? "no module that is loaded speaks it; "
					"hdctl module load"
				      : "it is spoken over TLS only");
		return false;
	}
	*ret = (struct hd_first){ .proto = e->service->proto,
				   .mod = e->link.mod };
	return true;
}

/* ---- by the client's choice ---- */

/* The first of the service's that the client has, too. */
static const uint8_t *find_one(const struct hd_service *service,
			       const struct hd_alpn_list *list)
{
	const uint8_t *found = NULL;

	for (unsigned i = 0; i < HD_SERVICE_ALPN_MAX && found == NULL; i++)
		if (service->alpn[i] != NULL)
			found = hd_alpn_find(list, service->alpn[i]);
	return found;
}

static enum hd_alpn_answer of_listener(const struct hd_listener *l,
				       const struct hd_alpn_list *list,
				       const uint8_t **ret)
{
	const struct hd_service_entry *e = hd_service_find(l->protocol);

	if (e == NULL)
		return HD_ALPN_REFUSED; /* it has just gone */
	if (e->service->alpn[0] == NULL)
		return HD_ALPN_IGNORED;
	*ret = find_one(e->service, list);
	return *ret != NULL ? HD_ALPN_CHOSEN : HD_ALPN_REFUSED;
}

/* Asked a second time after a HelloRetryRequest: with the same list. */
static bool of_modules(struct hd_stream *s, const struct hd_alpn_list *list,
		       const uint8_t **ret)
{
	unsigned only = s->listener->only;
	const struct hd_service_entry *e = hd_service_next(NULL);

	while (e != NULL && ((only != 0 && (only & e->service->pages) == 0) ||
			     (*ret = find_one(e->service, list)) == NULL))
		e = hd_service_next(e);
	if (e == NULL)
		return false;
	s->unopened = true;
	return hd_stream_switch(s, e->link.mod, e->service->proto) != NULL;
}

enum hd_alpn_answer hd_first_choose(void *stream,
				    const struct hd_alpn_list *list,
				    const uint8_t **ret)
{
	struct hd_stream *s = stream;
	const struct hd_listener *l = s->listener;

	if (l->protocol != NULL)
		return of_listener(l, list, ret);
	if (hd_listener_routes(l) == NULL && of_modules(s, list, ret))
		return HD_ALPN_CHOSEN;
	*ret = hd_alpn_find(list, HD_ALPN_HTTP);
	return *ret != NULL ? HD_ALPN_CHOSEN : HD_ALPN_REFUSED;
}

/* ---- it begins ---- */

void hd_first_opened(struct hd_stream *s, const char *alpn)
{
	struct hd_meter *m = &s->worker->meter;

	if (!s->unopened || !hd_stream_is_open(s))
		return;
	s->unopened = false;
	if (s->user != NULL) { /* who dialled it: dial_steps.c */
		s->user->ops->opened(s, alpn);
		return;
	}
	if (s->proto->opened == NULL)
		return;
	struct hd_account *before = hd_meter_enter(m, s->account);

	s->proto->opened(s->mod, s, s->state, alpn);
	hd_meter_leave(m, before);
}

/* Only who could have meant HTTPS is told so. */
void hd_first_failed(struct hd_stream *s)
{
	static const char answer[] =
		"HTTP/1.0 400 Bad Request\r\n"
		"Content-Type: text/plain\r\nConnection: close\r\n\r\n"
		"This port speaks HTTPS.\n";

	if (s->mod != NULL || !hd_tls_got_http(s->tls))
		return;
	hd_tls_free(&s->tls);
	hd_stream_append(s, HD_LANE_CONTROL, answer, sizeof(answer) - 1);
}
