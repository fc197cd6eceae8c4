/* SPDX-License-Identifier: MIT */
/* tools/hdcat/line.h - lines that a stream begins with: "hdcat/1 VERB TARGET"
 * of whoever opens it, and "ok" or "no REASON" back. */
#pragma once
#include <hd/hd.h>

#define LINE_BYTES 384 /* with its end, which becomes a NUL */
#define LINE_BEGIN "hdcat/1 "

/* line - n is how much of it has come; zeroed at first. */
struct line {
	char v[LINE_BYTES];
	size_t n;
};

/* line_add - the next byte. Returns 1 it is whole, and printable; 0 there is
 * more; -EPROTO it is too long, or has something else in it.
 * line_read - no byte behind its end is taken. Returns likewise, or as
 * libhd_stream_read(), but -EPROTO instead of 0.
 * line_verb - whether it is this verb. @arg  given: what follows it; "" */
int line_add(struct line *l, char v);
int line_read(struct line *l, struct libhd_stream *s);
bool line_verb(const struct line *l, const char *verb, const char **arg);
/* line_write - a short one, at the beginning of what goes that way. Returns 0;
 * or as libhd_stream_write(). */
int line_write(struct libhd_stream *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
