/* SPDX-License-Identifier: MIT */
/* modules/metrics/text.h - text that grows. What a label or a JSON string may
 * not hold as it is gets escaped here and nowhere else. */
#pragma once
#include <hyper-derp/base.h>

struct metrics_text { /* zeroed: empty */
	char *v; /* not terminated */
	size_t n, size;
	bool failed; /* out of memory: the text is worthless */
};
void metrics_text_free(struct metrics_text *t);

void metrics_put(struct metrics_text *t, const char *data, size_t n);
void metrics_puts(struct metrics_text *t, const char *s);
void metrics_put_uint(struct metrics_text *t, uint64_t n);
void metrics_put_int(struct metrics_text *t, int64_t n);
void metrics_printf(struct metrics_text *t, const char *fmt, ...)
	HD_PRINTF(2, 3);

/* metrics_put_label - NAME="VALUE". Backslash, quote and line feed are escaped;
 * what is not UTF-8 becomes U+FFFD, one for each byte.
 * metrics_put_help - a help text; @quotes whether quotes are escaped too.
 * metrics_put_json - a JSON string with its quotes.
 * metrics_put_key - its 64 hexadecimal digits. */
void metrics_put_label(struct metrics_text *t, const char *name,
		       const char *value);
void metrics_put_help(struct metrics_text *t, const char *help, bool quotes);
void metrics_put_json(struct metrics_text *t, const char *s);
void metrics_put_key(struct metrics_text *t, const struct hd_key *key);
