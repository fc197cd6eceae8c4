/* SPDX-License-Identifier: MIT */
/* core/stream/stream_head.h - what a client said in the HTTP request by which
 * it came to its protocol: kept until it has logged in, for who is asked about
 * the login. Plain memory: it goes to another worker with the stream.
 * Context: the stream's worker. */
#pragma once
#include "core/stream/stream.h"

struct hd_stream_head {
	unsigned n_headers, n_query;
	size_t len_bytes;
	char text[]; /* headers, then the query: a name and its value, each
			with a NUL */
};

/* hd_stream_head_header - the first value of a name, compared without case;
 * hd_stream_head_query - of a parameter, compared as it is. NULL: there is
 * none, or nothing is kept.
 * hd_stream_head_drop - what is kept is wiped: there may be passwords in it. */
const char *hd_stream_head_header(const struct hd_stream *s, const char *name);
const char *hd_stream_head_query(const struct hd_stream *s, const char *name);
void hd_stream_head_drop(struct hd_stream *s);
