/* SPDX-License-Identifier: MIT */
/* core/http/http_upgrade.c - how a connection gets another protocol: which
 * route's, by Upgrade alone or with WebSocket framing below it. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <stdio.h>
#include <string.h>
#include "core/http/http.h"
#include "core/stream/stream.h"
#include "core/stream/ws.h"

/* RFC 6455, 4.2.1. Returns 0, or negative after a reply. */
static int websocket_check(struct hd_request *req, char ret_accept[static 29])
{
	const char *version =
		hd_http_header(&req->head, "Sec-WebSocket-Version");
	const char *key = hd_http_header(&req->head, "Sec-WebSocket-Key");

	if (version == NULL || strcmp(version, "13") != 0) {
		hd_reply_header(req, "Sec-WebSocket-Version", "13");
		hd_reply_text(req, 426, "only WebSocket version 13\n");
		return -EPROTONOSUPPORT;
	}
	if (key == NULL || hd_ws_accept(key, ret_accept) < 0) {
		hd_reply_text(req, 400, "no valid Sec-WebSocket-Key\n");
		return -EINVAL;
	}
	return 0;
}

/* The server's order counts. Returns NULL: none of them is offered. */
static const char *subprotocol(const struct hd_request *req,
			       const struct hd_route *route)
{
	const char *const *i = route->subprotocols;

	while (i != NULL && *i != NULL &&
	       !hd_http_lists_exactly(&req->head, "Sec-WebSocket-Protocol", *i))
		i++;
	return i != NULL ? *i : NULL;
}

/* Below WebSocket framing, although that begins with the next byte. */
static bool websocket_101(struct hd_stream *s, const char *chosen,
			  const char *accept)
{
	char head[512];
	int n;

	n = snprintf(head, sizeof(head),
		     "HTTP/1.1 101 Switching Protocols\r\n"
		     "Upgrade: websocket\r\n"
		     "Connection: Upgrade\r\n"
		     "Sec-WebSocket-Accept: %s\r\n"
		     "%s%s%s\r\n",
		     accept, chosen ? "Sec-WebSocket-Protocol: " : "",
		     chosen ? chosen : "", chosen ? "\r\n" : "");
	hd_assert(n > 0 && (size_t)n < sizeof(head));
	return hd_stream_append_raw(s, head, (size_t)n);
}

static struct hd_ws *ws_of(const struct hd_route *route, const char *chosen)
{
	bool messages = route->websocket == HD_WS_MODE_MESSAGES;
	struct hd_ws_options options = {
		.messages = messages,
		.subprotocol = chosen,
		.limit_bytes = !messages ? 0
			       : route->message_max_bytes != 0
				       ? route->message_max_bytes
				       : HD_WS_MESSAGE_DEFAULT_BYTES,
		.timeout_ms = route->message_timeout_ms != 0
				      ? route->message_timeout_ms
				      : HD_WS_TIMEOUT_DEFAULT_MS,
		.ping_ms = messages ? route->ping_ms : 0,
	};

	return hd_ws_new(&options);
}

/* hd_ws_free() is the cleanup when the stream has not taken it. */
static bool upgrade_websocket(struct hd_request *req,
			      const struct hd_route_entry *entry)
{
	HD_AUTO(hd_ws_free) struct hd_ws *ws = NULL;
	const char *chosen = subprotocol(req, &entry->route);
	char accept[29];
	void *state;

	if (websocket_check(req, accept) < 0)
		return false;
	if (hd_route_accept(entry, req) < 0) {
		hd_reply_text(req, 403, "refused\n"); /* unless it said why */
		return false;
	}
	ws = ws_of(&entry->route, chosen);
	if (ws == NULL)
		return false;
	hd_http_keep_head(req, entry->route.proto);
	state = hd_stream_switch(req->stream, entry->link.mod,
				 entry->route.proto);
	if (state == NULL || !websocket_101(req->stream, chosen, accept))
		return false;
	hd_stream_use_ws(req->stream, &ws);
	req->replied = true; /* the route cannot answer in HTTP any more */
	return hd_route_upgrade(entry, req, state) == 0;
}

bool hd_upgrade(struct hd_request *req, const struct hd_route_entry *entry)
{
	void *state;

	req->keep = false; /* a refusal ends the connection */
	req->why = HD_CLOSE_DENIED;
	if (entry->route.websocket != HD_WS_MODE_NONE)
		return upgrade_websocket(req, entry);
	hd_http_keep_head(req, entry->route.proto);
	state = hd_stream_switch(req->stream, entry->link.mod,
				 entry->route.proto);
	if (state == NULL)
		return false;
	if (hd_route_upgrade(entry, req, state) == 0)
		return true;
	hd_reply_text(req, 403, "refused\n"); /* unless it said why */
	return false;
}

static bool upgrade_matches(const struct hd_request *req,
			    const struct hd_route *route)
{
	if (route->token == NULL ||
	    !hd_http_lists(&req->head, "Upgrade", route->token))
		return false;
	return !route->subprotocol_needed || subprotocol(req, route) != NULL;
}

/* A client never means it: a proxy that speaks HTTP/1.0 to us passes it on. */
static void log_http10(const struct hd_request *req)
{
	char from[HD_ADDR_TEXT_BYTES];

	hd_log_notice("an upgrade by HTTP/1.0 is ignored: from=%s path=%s (a "
		      "proxy in front must speak HTTP/1.1; nginx: "
		      "`proxy_http_version 1.1;`)",
		      hd_addr_text(hd_stream_addr(req->stream), from),
		      req->head.path);
}

/* RFC 9110, 7.8: an upgrade that nobody knows is ignored, and so is every one
 * in HTTP/1.0, where a proxy may pass on what it does not understand: the plain
 * route answers. */
const struct hd_route_entry *hd_upgrade_find(const struct hd_request *req,
					     const struct hd_route_entry *e)
{
	if (!hd_http_lists(&req->head, "Connection", "upgrade"))
		return NULL;
	while (e != NULL && !upgrade_matches(req, &e->route))
		e = hd_route_next(e);
	if (e == NULL || req->head.minor > 0)
		return e;
	log_http10(req);
	return NULL;
}
