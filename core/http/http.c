/* SPDX-License-Identifier: MIT */
/* core/http/http.c - which route a request belongs to, and how it is served.
 *
 *            head complete                    route's token matches
 *   REQUEST ---------------> plain answer  |  or upgrade -> another protocol
 *      ^   `                      |
 *      |    `-- no route has it --|--> the rest: http_rest.c
 *      `--- keep-alive -----------+-- else --> closing
 *
 * Nothing is kept between requests: an unfinished head stays in the stream,
 * and the login deadline, which the stream keeps, ends idle connections. */
#include "core/base/bug.h"
#include "core/base/module_id.h"
#include "core/http/forwarded.h"
#include "core/http/http.h"
#include "core/stream/stream.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum after { AFTER_NEXT, AFTER_SWITCH, AFTER_CLOSE, AFTER_WAIT, AFTER_REST };

static const struct {
	const char *name;
	unsigned bit;
} methods[] = {
	{ "GET", HD_HTTP_GET },
	{ "HEAD", HD_HTTP_HEAD },
	{ "POST", HD_HTTP_POST },
	{ "OPTIONS", HD_HTTP_OPTIONS },
};

static unsigned method_bit(const char *name)
{
	for (size_t i = 0; i < HD_ARRAY_N(methods); i++)
		if (strcmp(name, methods[i].name) == 0)
			return methods[i].bit;
	return 0;
}

static void add_word(char *list, size_t size, const char *word)
{
	size_t n = strlen(list);

	snprintf(list + n, size - n, "%s%s", n > 0 ? ", " : "", word);
}

/* HEAD goes wherever GET goes: hd_reply() leaves the body out. */
static unsigned allowed(const struct hd_route *route)
{
	return route->methods |
	       (route->methods & HD_HTTP_GET ? HD_HTTP_HEAD : 0);
}

static unsigned allowed_at(const struct hd_route_entry *entry)
{
	unsigned all = 0;

	for (; entry != NULL; entry = hd_route_next(entry))
		all |= allowed(&entry->route);
	return all;
}

static void reply_405(struct hd_request *req, unsigned all)
{
	char list[64] = "";

	for (size_t i = 0; i < HD_ARRAY_N(methods); i++)
		if (all & methods[i].bit)
			add_word(list, sizeof(list), methods[i].name);
	hd_reply_header(req, "Allow", list);
	hd_reply_text(req, 405, "method not allowed here\n");
}

static void reply_426(struct hd_request *req,
		      const struct hd_route_entry *entry)
{
	char list[256] = "", text[320];

	for (; entry != NULL; entry = hd_route_next(entry))
		if (entry->route.token != NULL)
			add_word(list, sizeof(list), entry->route.token);
	hd_reply_header(req, "Upgrade", list);
	hd_reply_header(req, "Connection", "Upgrade");
	snprintf(text, sizeof(text), "this path needs an upgrade to: %s\n",
		 list);
	hd_reply_text(req, 426, text);
}

static const struct hd_route_entry *find_plain(const struct hd_route_entry *e)
{
	while (e != NULL && e->route.answer == NULL)
		e = hd_route_next(e);
	return e;
}

static void answer(struct hd_request *req, const struct hd_route_entry *entry)
{
	req->mod = entry->link.mod;
	hd_route_answer(entry, req);
	if (req->replied)
		return;
	hd_bug_once("route without a reply: module=%s path=%s",
		    entry->link.mod->name, req->head.path);
	req->keep = false;
	hd_reply_text(req, 500, "no answer\n");
}

/* For a listener that is for some pages only, others are not there. */
static bool is_hidden(const struct hd_request *req,
		      const struct hd_route_entry *plain)
{
	unsigned only = hd_stream_only(req->stream);

	return only != 0 && (plain == NULL || (plain->route.pages & only) == 0);
}

static enum after serve(struct hd_request *req)
{
	const char *listener = hd_stream_routes(req->stream);
	const struct hd_route_entry *first, *up = NULL, *plain;
	unsigned may;

	first = hd_route_find(listener, req->head.path);
	plain = find_plain(first);
	if (first == NULL || is_hidden(req, plain)) {
		hd_reply_text(req, 404, "not found\n");
		return AFTER_NEXT;
	}
	if (hd_stream_only(req->stream) == 0)
		up = hd_upgrade_find(req, first);
	may = up != NULL      ? allowed(&up->route)
	      : plain != NULL ? allowed(&plain->route)
			      : allowed_at(first);
	if ((may & req->method) == 0)
		reply_405(req, allowed_at(first));
	else if (up != NULL)
		return hd_upgrade(req, up) ? AFTER_SWITCH : AFTER_CLOSE;
	else if (plain != NULL)
		answer(req, plain);
	else
		reply_426(req, first);
	return AFTER_NEXT;
}

/* RFC 9112, 6.3, as far as it goes without reading bodies: a request that has
 * one is answered, then the connection ends, so that the body can never be
 * taken for a request. Returns 0, or the status of a refusal. */
static int check_body(struct hd_request *req)
{
	const char *length = NULL;

	for (unsigned i = 0; i < req->head.n; i++) {
		const struct hd_http_header *h = &req->head.headers[i];

		if (strcasecmp(h->name, "Transfer-Encoding") == 0)
			return 501;
		if (strcasecmp(h->name, "Content-Length") != 0)
			continue;
		if (length != NULL || *h->value == '\0' ||
		    h->value[strspn(h->value, "0123456789")] != '\0')
			return 400;
		length = h->value;
	}
	if (length == NULL || length[strspn(length, "0")] == '\0')
		return 0;
	req->keep = false;
	/* behind an upgrade it would be taken for the new protocol */
	return hd_http_lists(&req->head, "Connection", "upgrade") ? 400 : 0;
}

/* RFC 9112, 3.2: an HTTP/1.1 request names its host, once. */
static bool host_is_wrong(const struct hd_http_head *head)
{
	unsigned n = 0;

	for (unsigned i = 0; i < head->n; i++)
		n += strcasecmp(head->headers[i].name, "Host") == 0;
	return n > 1 || (n == 0 && head->minor > 0);
}

static bool wants_keep(const struct hd_http_head *head)
{
	if (hd_http_lists(head, "Connection", "close"))
		return false;
	return head->minor > 0 ||
	       hd_http_lists(head, "Connection", "keep-alive");
}

static enum after refuse(struct hd_request *req, int status, const char *text)
{
	req->keep = false;
	req->why = HD_CLOSE_PROTOCOL;
	hd_reply_text(req, status, text);
	return AFTER_CLOSE;
}

/* It would be the proxy's, and a client could make it so. */
static enum after refuse_forwarded(struct hd_request *req)
{
	char from[HD_ADDR_TEXT_BYTES];

	hd_log_notice("request refused: from=%s (its Forwarded header breaks "
		      "RFC 7239)",
		      hd_addr_text(hd_stream_addr(req->stream), from));
	return refuse(req, 400, "the header Forwarded cannot be read\n");
}

static enum after refuse_crowd(struct hd_request *req)
{
	return refuse(req, 429, "too many connections from your address\n");
}

static enum after handle(struct hd_request *req, const struct hd_rest *rest)
{
	int status, r;

	req->method = method_bit(req->head.method);
	req->keep = wants_keep(&req->head);
	if (host_is_wrong(&req->head))
		return refuse(req, 400, "one Host header is needed\n");
	r = hd_forwarded_apply(req);
	if (r < 0)
		return r == -EUSERS ? refuse_crowd(req) : refuse_forwarded(req);
	if (!hd_stream_is_open(req->stream))
		return AFTER_CLOSE; /* no room for the client's address */
	if (hd_rest_wants(rest, req))
		return AFTER_REST;
	status = check_body(req);
	if (status != 0)
		return refuse(req, status, "a request has no body here\n");
	if (strcmp(req->head.method, "CONNECT") == 0) {
		req->keep = false; /* what follows is for somebody else */
		reply_405(req, HD_HTTP_GET | HD_HTTP_HEAD);
		return AFTER_CLOSE;
	}
	return serve(req);
}

static const struct {
	int error, status;
	const char *text;
} malformed[] = {
	/* the first is also for whatever is not here */
	{ -EBADMSG, 400, "not an HTTP request\n" },
	{ -E2BIG, 431, "request head too large\n" },
	{ -EPROTONOSUPPORT, 505, "only HTTP/1.0 and HTTP/1.1\n" },
};

static enum after reply_malformed(struct hd_request *req, int error)
{
	char from[HD_ADDR_TEXT_BYTES];
	size_t i = HD_ARRAY_N(malformed) - 1;

	while (i > 0 && malformed[i].error != error)
		i--;
	hd_log_debug("request refused: from=%s status=%d",
		     hd_addr_text(hd_stream_addr(req->stream), from),
		     malformed[i].status);
	req->http10 = true; /* nothing sure is known about the client */
	return refuse(req, malformed[i].status, malformed[i].text);
}

/* A TLS record of type handshake, major version 3; no request begins so. */
static bool looks_tls(const uint8_t *p, size_t n)
{
	return p[0] == 0x16 && (n == 1 || p[1] == 0x03);
}

static size_t close_tls_on_plain(struct hd_stream *s, size_t n)
{
	char from[HD_ADDR_TEXT_BYTES];

	hd_log_debug("TLS on a plain listener, closed: set `tls: true` for it "
		     "or use http: from=%s",
		     hd_addr_text(hd_stream_addr(s), from));
	hd_stream_close(s, HD_CLOSE_PROTOCOL);
	return n;
}

/* Returns the bytes used; 0: the head is not complete. */
static size_t request(struct hd_stream *s, uint8_t *p, size_t n,
		      enum after *ret_after)
{
	struct hd_request req;
	struct hd_rest rest;
	int len;

	hd_rest_note(&rest, s, p, n);
	len = hd_http_parse((char *)p, n, &req.head);
	if (len == 0)
		return 0;
	req.stream = s;
	req.why = HD_CLOSE_DONE;
	req.method = 0;
	req.mod = NULL;
	req.keep = req.replied = req.http10 = req.later = false;
	req.extra_len = 0;
	if (len == -E2BIG && hd_rest_wants_large(&rest, s))
		*ret_after = AFTER_REST;
	else
		*ret_after = len < 0 ? reply_malformed(&req, len)
				     : handle(&req, &rest);
	if (*ret_after == AFTER_REST) {
		hd_rest_take(&rest, s, p);
		return 0;
	}
	if (req.later) {
		*ret_after = AFTER_WAIT;
		return (size_t)len;
	}
	if (*ret_after == AFTER_NEXT && !req.keep)
		*ret_after = AFTER_CLOSE;
	if (*ret_after == AFTER_CLOSE)
		hd_stream_close(s, req.why);
	return *ret_after == AFTER_CLOSE ? n : (size_t)len;
}

static size_t http_data(struct hd_module *mod, struct hd_stream *s, void *state,
			uint8_t *p, size_t n)
{
	enum after after = AFTER_NEXT;
	size_t used = 0;

	(void)mod;
	(void)state;
	while (used < n && after == AFTER_NEXT) {
		size_t len;

		if (looks_tls(p + used, n - used))
			return close_tls_on_plain(s, n);
		len = request(s, p + used, n - used, &after);
		if (len == 0)
			break;
		used += len;
	}
	return used;
}

const struct hd_proto hd_http_proto = {
	.name = "http",
	.data = http_data,
};
