/* SPDX-License-Identifier: MIT */
/* tools/hdcat/progress.c - see progress.h. */
#include "tools/hdcat/progress.h"
#include "tools/hdcat/files.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DRAW_MS 200
#define BAR 20
#define NAME_WIDTH 24 /* bytes: of few letters they are more than columns */

static struct {
	int64_t drawn_ms, begun_ms;
	uint64_t begun_at, done, total;
	bool there; /* a line */
} line;

void progress_all(uint64_t done, uint64_t total)
{
	line.done = done;
	line.total = total;
}

void progress_end(const struct hdcat *c)
{
	if (line.there && !c->quiet)
		fputs("\r\033[K", stderr);
	line.there = false;
}

static bool due(const struct hdcat *c)
{
	int64_t now = now_us() / 1000;

	if (c->quiet || !isatty(STDERR_FILENO) ||
	    now - line.drawn_ms < DRAW_MS)
		return false;
	line.drawn_ms = now;
	return true;
}

/* Bytes in a second, since the first call. */
static double speed(uint64_t done)
{
	int64_t now = now_us() / 1000;

	if (line.begun_ms == 0 || done < line.begun_at) {
		line.begun_ms = now;
		line.begun_at = done;
	}
	return now > line.begun_ms ? (double)(done - line.begun_at) * 1000 /
					     (double)(now - line.begun_ms)
				   : 0;
}

/* A sixth of a terminal that is narrow is too little: there is no bar then. */
static bool is_wide(void)
{
	struct winsize w;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) < 0 || w.ws_col == 0 ||
	       w.ws_col >= 80;
}

static void bar(double part)
{
	int full = (int)(part * BAR);

	if (!is_wide())
		return;
	fputc('[', stderr);
	for (int i = 0; i < BAR; i++)
		fputc(i < full ? '#' : '.', stderr);
	fputs("] ", stderr);
}

void progress(const struct hdcat *c, const char *name, uint64_t at,
	      uint64_t size)
{
	char text[SHOWN_BYTES], bytes[16], rate[16];
	uint64_t done = line.total > 0 ? line.done + at : at;
	uint64_t total = line.total > 0 ? line.total : size;
	double part = total > 0 ? (double)done / (double)total : 1, v;
	size_t n = strlen(name);

	if (!due(c))
		return;
	v = speed(done);
	shown(n > NAME_WIDTH ? name + n - NAME_WIDTH : name,
	      n > NAME_WIDTH ? NAME_WIDTH : n, text);
	part = part > 1 ? 1 : part;
	fputc('\r', stderr);
	bar(part);
	fprintf(stderr, "%3d %%  %s  %s/s  %.40s\033[K", (int)(part * 100),
		shown_bytes(done, bytes), shown_bytes((uint64_t)v, rate), text);
	fflush(stderr);
	line.there = true;
}
