/* SPDX-License-Identifier: MIT */
/* tools/hdcat/line.c - see line.h. */
#include "tools/hdcat/line.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int line_add(struct line *l, char v)
{
	if (v == '\n') {
		l->v[l->n] = '\0';
		return 1;
	}
	if (v < ' ' || v > '~' || l->n + 1 >= sizeof(l->v))
		return -EPROTO;
	l->v[l->n++] = v;
	return 0;
}

int line_read(struct line *l, struct libhd_stream *s)
{
	ssize_t n;
	int r = 0;
	char v;

	while (r == 0) {
		n = libhd_stream_read(s, &v, 1);
		if (n == -EAGAIN)
			return 0;
		if (n <= 0)
			return n < 0 ? (int)n : -EPROTO;
		r = line_add(l, v);
	}
	return r;
}

bool line_verb(const struct line *l, const char *verb, const char **arg)
{
	size_t n = strlen(LINE_BEGIN), m = strlen(verb);

	if (strncmp(l->v, LINE_BEGIN, n) != 0 ||
	    strncmp(l->v + n, verb, m) != 0)
		return false;
	*arg = l->v + n + m;
	if (**arg == ' ')
		*arg += 1;
	else if (**arg != '\0')
		return false;
	return true;
}

int line_write(struct libhd_stream *s, const char *fmt, ...)
{
	char v[LINE_BYTES + 1];
	va_list args;
	ssize_t r;
	int n;

	va_start(args, fmt);
	n = vsnprintf(v, LINE_BYTES - 1, fmt, args);
	va_end(args);
	if (n < 0 || n >= LINE_BYTES - 1)
		return -EINVAL;
	v[n] = '\n';
	r = libhd_stream_write(s, v, (size_t)n + 1);
	if (r == n + 1)
		return 0;
	return r < 0 ? (int)r : -EAGAIN;
}
