/* SPDX-License-Identifier: MIT */
/* core/stream/stream_head.c - what a client said before it logs in. http/ keeps
 * it, relay/ shows it to modules. */
#include "core/stream/stream_head.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *next(const char *text)
{
	return text + strlen(text) + 1;
}

/* @skip  so many pairs stand before those that are looked through */
static const char *find(const struct hd_stream_head *head, unsigned skip,
			unsigned n, const char *name,
			int (*compare)(const char *, const char *))
{
	const char *at = head->text;

	for (; skip > 0; skip--)
		at = next(next(at));
	for (; n > 0; n--, at = next(next(at)))
		if (compare(at, name) == 0)
			return next(at);
	return NULL;
}

const char *hd_stream_head_header(const struct hd_stream *s, const char *name)
{
	const struct hd_stream_head *h = s->head;

	return h != NULL ? find(h, 0, h->n_headers, name, strcasecmp) : NULL;
}

const char *hd_stream_head_query(const struct hd_stream *s, const char *name)
{
	const struct hd_stream_head *h = s->head;

	return h != NULL ? find(h, h->n_headers, h->n_query, name, strcmp)
			 : NULL;
}

void hd_stream_head_drop(struct hd_stream *s)
{
	struct hd_stream_head *h = hd_steal(&s->head);

	if (h == NULL)
		return;
	explicit_bzero(h, sizeof(*h) + h->len_bytes);
	free(h);
}
