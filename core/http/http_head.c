/* SPDX-License-Identifier: MIT */
/* core/http/http_head.c - a request's head is kept for the login that follows.
 * Only where a module will be asked about that: it costs the client's memory
 * once more, HD_HTTP_HEAD_MAX_BYTES at most, until it has logged in. */
#include <stdlib.h>
#include <string.h>
#include "core/http/http.h"
#include "core/loop/hooks.h"
#include "core/loop/worker.h"
#include "core/stream/stream_head.h"

/* ---- a query: application/x-www-form-urlencoded ---- */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Returns the character's bytes; 0: it is none, or NUL, which no text has. */
static size_t take_escape(const char *p, const char *end, char *ret)
{
	int high = end - p > 2 ? digit(p[1]) : -1;
	int low = high >= 0 ? digit(p[2]) : -1;

	if (low < 0)
		return 0;
	*ret = (char)(high << 4 | low);
	return *ret == '\0' ? 0 : 3;
}

/* Returns what is behind the text; NULL: it is malformed. */
static char *put_decoded(char *to, const char *p, const char *end)
{
	while (p < end) {
		size_t n = 1;

		if (*p == '%')
			n = take_escape(p, end, to);
		else
			*to = *p == '+' ? ' ' : *p;
		if (n == 0)
			return NULL;
		to++;
		p += n;
	}
	*to = '\0';
	return to + 1;
}

/* "a=b", or "a", which is "a=". One that is malformed is left out. */
static char *put_parameter(struct hd_stream_head *head, char *to, const char *p,
			   const char *end)
{
	const char *equals = memchr(p, '=', (size_t)(end - p));
	const char *name_end = equals != NULL ? equals : end;
	char *value = put_decoded(to, p, name_end);
	char *behind = value != NULL
			       ? put_decoded(value,
					     equals != NULL ? equals + 1 : end,
					     end)
			       : NULL;

	if (behind == NULL || p == name_end)
		return to;
	head->n_query++;
	return behind;
}

static char *put_query(struct hd_stream_head *head, char *to, const char *query)
{
	while (query != NULL) {
		const char *end = strchrnul(query, '&');

		to = put_parameter(head, to, query, end);
		query = *end == '&' ? end + 1 : NULL;
	}
	return to;
}

/* ---- the head ---- */

/* At most: what is decoded becomes shorter. */
static size_t size_of(const struct hd_http_head *head)
{
	size_t n = 0;

	for (unsigned i = 0; i < head->n; i++)
		n += strlen(head->headers[i].name) +
		     strlen(head->headers[i].value) + 2;
	if (head->query != NULL) /* `a` alone has two NULs */
		n += 2 * strlen(head->query) + 2;
	return n;
}

static char *put_headers(struct hd_stream_head *to,
			 const struct hd_http_head *head)
{
	char *p = to->text;

	for (unsigned i = 0; i < head->n; i++) {
		p = stpcpy(p, head->headers[i].name) + 1;
		p = stpcpy(p, head->headers[i].value) + 1;
	}
	to->n_headers = head->n;
	return p;
}

/* Without memory nothing is kept: as if the client had said nothing. */
void hd_http_keep_head(const struct hd_request *req,
		       const struct hd_proto *proto)
{
	struct hd_stream *s = req->stream;
	size_t n = size_of(&req->head);

	hd_stream_head_drop(s);
	if (proto->peer == NULL || s->worker->hooks == NULL ||
	    s->worker->hooks->admit.n + s->worker->hooks->admit_mesh.n == 0)
		return;
	s->head = calloc(1, sizeof(*s->head) + n);
	if (s->head == NULL)
		return;
	s->head->len_bytes = n;
	put_query(s->head, put_headers(s->head, &req->head), req->head.query);
}
