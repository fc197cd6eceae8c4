/* SPDX-License-Identifier: MIT */
/* core/stream/hello.c - whose TLS a connection is: the relay's own, or that of
 * a module, which takes it as it is.
 *
 *   begun --a module asks--> HELLO DUE --its name is known--> own TLS
 *                                |               `----------> module: opened()
 *                                `--it ends early, is late: closed
 *
 * As with a PROXY header (proxied.c) all of it stays in the kernel's buffer, so
 * whoever has the connection then reads it from its first byte. What is no
 * ClientHello goes to the relay's TLS, which knows what to say to it. Context:
 * the stream's worker. */
#include "core/stream/hello.h"
#include "core/loop/hooks.h"
#include "core/net/listener.h"
#include "core/stream/first.h"
#include "core/stream/proxied.h"
#include "core/stream/stream_life.h"
#include "core/tls/client_hello.h"

bool hd_hello_wanted(const struct hd_stream *s)
{
	return s->worker->hooks->hello.n > 0 && s->listener->mod == NULL &&
	       s->listener->protocol == NULL && s->listener->only == 0 &&
	       hd_listener_routes(s->listener) == NULL;
}

static const struct hd_proto *ask(struct hd_stream *s, const struct hd_hook *h,
				  const struct hd_hello *hello)
{
	struct hd_worker *w = s->worker;
	struct hd_account *before =
		hd_meter_enter(&w->meter, hd_account_of(w, h->mod));
	const struct hd_proto *proto = h->hello(h->mod, w, hello);

	hd_meter_leave(&w->meter, before);
	return proto;
}

/* Returns whether a module has it. */
static bool taken(struct hd_stream *s, const char *name)
{
	const struct hd_hook_list *list = &s->worker->hooks->hello;
	const struct hd_hello hello = {
		.from = &s->addr,
		.proxy = hd_stream_proxy(s),
		.listener = s->listener->name,
		.server_name = name[0] != '\0' ? name : NULL,
	};
	const struct hd_proto *proto = NULL;
	unsigned i = 0;

	while (i < list->n &&
	       (proto = ask(s, &list->v[i], &hello)) == NULL)
		i++;
	if (proto == NULL)
		return false;
	s->unopened = true;
	if (hd_stream_switch(s, list->v[i].mod, proto) != NULL)
		hd_first_opened(s, NULL);
	return true;
}

static void look_at(struct hd_stream *s, size_t n)
{
	char name[HD_SERVER_NAME_BYTES];
	int r = hd_client_hello_name(s->worker->plain, n, name);

	if (r == 0) {
		s->readable = false; /* more of it is another event */
		if (s->rx_hup)
			hd_stream_close(s, HD_CLOSE_PEER);
		return;
	}
	s->hello_due = false;
	if (r < 0 || !taken(s, name))
		hd_stream_begin_tls(s);
}

void hd_hello_read(struct hd_stream *s)
{
	size_t n = hd_stream_peek(s, HD_CLIENT_HELLO_MAX_BYTES);

	if (n > 0)
		look_at(s, n);
}
