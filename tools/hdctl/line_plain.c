/* SPDX-License-Identifier: MIT */
/* tools/hdctl/line_plain.c - lines as the terminal gives them. */
#include <errno.h>
#include <stdlib.h>

#include "tools/hdctl/line.h"

struct line {
	struct hdctl *h;
	char *text;
	size_t size;
};

struct line *line_open(struct hdctl *h)
{
	struct line *l = calloc(1, sizeof(*l));

	if (l != NULL)
		l->h = h;
	return l;
}

const char *line_read(struct line *l)
{
	fputs(line_prompt(l->h), stdout);
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
