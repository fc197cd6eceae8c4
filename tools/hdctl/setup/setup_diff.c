/* SPDX-License-Identifier: MIT */
/* tools/hdctl/setup/setup_diff.c - what changes, line by line, with three lines
 * around it: the longest common subsequence, which is quick for a
 * configuration. */
#include <stdlib.h>
#include <string.h>

#include "tools/hdctl/clean.h"
#include "tools/hdctl/setup/setup.h"

enum { LINES_MAX = 3000, AROUND = 3 };

struct lines {
	char *text;
	const char *v[LINES_MAX];
	size_t n;
};

struct diff {
	struct lines a, b;
	char op[2 * LINES_MAX]; /* ' ', '-', '+' */
	const char *line[2 * LINES_MAX];
	size_t n;
};

static bool split(struct lines *l, const char *text)
{
	l->text = strdup(text);
	if (l->text == NULL)
		return false;
	for (char *p = l->text; *p != '\0' && l->n < LINES_MAX;) {
		char *end = strchr(p, '\n');

		l->v[l->n++] = p;
		if (end == NULL)
			break;
		*end = '\0';
		p = end + 1;
	}
	return true;
}

static void add(struct diff *d, char op, const char *line)
{
	d->op[d->n] = op;
	d->line[d->n++] = line;
}

/* len[i][j]: of the longest common subsequence of a from i and b from j. */
static bool compare(struct diff *d)
{
	size_t w = d->b.n + 1, i, j;
	unsigned short *len = calloc((d->a.n + 1) * w, sizeof(*len));

	if (len == NULL)
		return false;
	for (i = d->a.n; i-- > 0;)
		for (j = d->b.n; j-- > 0;)
			len[i * w + j] =
				strcmp(d->a.v[i], d->b.v[j]) == 0
					? len[(i + 1) * w + j + 1] + 1
					: HD_MAX(len[(i + 1) * w + j],
						 len[i * w + j + 1]);
	for (i = j = 0; i < d->a.n || j < d->b.n;)
		if (i < d->a.n && j < d->b.n &&
		    strcmp(d->a.v[i], d->b.v[j]) == 0) {
			add(d, ' ', d->a.v[i++]);
			j++;
		} else if (i < d->a.n &&
			   (j == d->b.n ||
			    len[(i + 1) * w + j] >= len[i * w + j + 1])) {
			add(d, '-', d->a.v[i++]);
		} else {
			add(d, '+', d->b.v[j++]);
		}
	free(len);
	return true;
}

static bool is_near_change(const struct diff *d, size_t at)
{
	size_t from = at > AROUND ? at - AROUND : 0;

	for (size_t i = from; i < d->n && i <= at + AROUND; i++)
		if (d->op[i] != ' ')
			return true;
	return false;
}

static void print(const struct diff *d)
{
	bool shown = true;

	for (size_t i = 0; i < d->n; i++) {
		bool near = is_near_change(d, i);

		if (near && !shown)
			puts("@@");
		if (near) {
			putchar(d->op[i]);
			clean_put(stdout, d->line[i], false);
			putchar('\n');
		}
		shown = near;
	}
}

void setup_diff(const char *old_name, const char *new_name,
		const char *old_text, const char *new_text)
{
	struct diff *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return;
	if (split(&d->a, old_text) && split(&d->b, new_text) && compare(d)) {
		printf("--- %s\n+++ %s\n", old_name, new_name);
		print(d);
	}
	free(d->a.text);
	free(d->b.text);
	free(d);
}
