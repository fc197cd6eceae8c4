/* SPDX-License-Identifier: MIT */
/* core/http/http_rest.c - requests that no route has, and the route that wants
 * all of these (hd_route.rest): it gets the connection, from the request's
 * first byte on, as it was received. We read that one head, to see whose it is,
 * and nothing behind it: there are no borders between requests that two could
 * see in two places. Context: the stream's worker. */
#include <string.h>
#include "core/http/http.h"
#include "core/stream/first.h"
#include "core/stream/stream.h"

void hd_rest_note(struct hd_rest *rest, const struct hd_stream *s,
		  const uint8_t *p, size_t n)
{
	rest->entry = hd_stream_only(s) == 0
			      ? hd_route_rest(hd_stream_routes(s))
			      : NULL;
	rest->len = HD_MIN(n, sizeof(rest->raw));
	if (rest->entry != NULL)
		memcpy(rest->raw, p, rest->len);
}

static bool is_plain(const struct hd_route_entry *e)
{
	while (e != NULL && e->route.token == NULL)
		e = hd_route_next(e);
	return e == NULL;
}

static bool asked(const struct hd_route_entry *e, struct hd_request *req,
		  bool served)
{
	struct hd_account *before;
	bool yes;

	if (e->route.wants == NULL)
		return !served;
	before = hd_stream_enter(req->stream, e->link.mod);
	yes = e->route.wants(e->link.mod, req, served);
	hd_stream_leave(req->stream, before);
	return yes;
}

bool hd_rest_wants(const struct hd_rest *rest, struct hd_request *req)
{
	const struct hd_route_entry *e;

	if (rest->entry == NULL || strcmp(req->head.method, "CONNECT") == 0)
		return false;
	e = hd_route_find(hd_stream_routes(req->stream), req->head.path);
	return is_plain(e) && asked(rest->entry, req, e != NULL);
}

/* The request line alone, as a request. */
bool hd_rest_wants_large(const struct hd_rest *rest, struct hd_stream *s)
{
	struct hd_request req = { .stream = s };
	char line[HD_HTTP_HEAD_MAX_BYTES + 4];
	const char *end;
	size_t n;

	if (rest->entry == NULL)
		return false;
	end = memmem(rest->raw + 2, rest->len - 2, "\r\n", 2);
	if (end == NULL)
		return false;
	n = (size_t)(end - (const char *)rest->raw) + 2;
	memcpy(line, rest->raw, n);
	memcpy(line + n, "\r\n", 2);
	return hd_http_parse(line, n + 2, &req.head) > 0 &&
	       hd_rest_wants(rest, &req);
}

void hd_rest_take(const struct hd_rest *rest, struct hd_stream *s, uint8_t *p)
{
	const struct hd_route_entry *e = rest->entry;

	memcpy(p, rest->raw, rest->len);
	s->unopened = true;
	if (hd_stream_switch(s, e->link.mod, e->route.proto) != NULL)
		hd_first_opened(s, NULL);
}
