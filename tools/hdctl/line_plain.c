/* SPDX-License-Identifier: MIT */
/* tools/hdctl/line_plain.c - lines as the terminal gives them. */
#include <errno.h>
#include <stdlib.h>

#include "tools/hdctl/line.h"

struct line {
	char *text;
	size_t size;
};

struct line *line_open(struct hdctl *h)
{
	(void)h;
	return calloc(1, sizeof(struct line));
}

const char *line_read(struct line *l)
{
	fputs("hdctl> ", stdout);
	fflush(stdout);
	errno = 0;
	if (getline(&l->text, &l->size, stdin) >= 0)
		return l->text;
	if (errno != EINTR)
		return NULL;
	clearerr(stdin); /* Ctrl-C: another line */
	putchar('\n');
	return "";
}

void line_close(struct line *l)
{
	free(l->text);
	free(l);
}
