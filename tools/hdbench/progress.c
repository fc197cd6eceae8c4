/* SPDX-License-Identifier: MIT */
/* tools/hdbench/progress.c - the line that says it is still alive. */
#include "tools/hdbench/progress.h"
#include "tools/hdbench/clock.h"
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define EVERY_MS 250
#define ERASE_LINE "\r\033[K"

static int64_t next_ns = -1; /* 0: stderr is no terminal */

bool progress_due(int64_t now_ns)
{
	if (next_ns < 0)
		next_ns = isatty(STDERR_FILENO) ? 1 : 0;
	return next_ns > 0 && now_ns >= next_ns;
}

void progress_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs(ERASE_LINE, stderr);
	(void)vfprintf(stderr, fmt, ap);
	fflush(stderr);
	va_end(ap);
	next_ns = clock_ns() + EVERY_MS * NS_PER_MS;
}

void progress_clear(void)
{
	if (next_ns > 1)
		fputs(ERASE_LINE, stderr);
}
