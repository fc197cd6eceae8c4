/* SPDX-License-Identifier: MIT */
/* tools/hdctl/edit/edit_place.c - lines, comments, what stands beside. */
#include <string.h>

#include "tools/hdctl/edit/edit.h"

unsigned edit_line(const char *text, size_t at)
{
	unsigned line = 1;

	for (size_t i = 0; i < at && text[i] != '\0'; i++)
		line += text[i] == '\n';
	return line;
}

size_t edit_line_begin(const struct edit_text *t, size_t at)
{
	while (at > 0 && t->text[at - 1] != '\n')
		at--;
	return at == 0 && strncmp(t->text, "\xef\xbb\xbf", 3) == 0 ? 3 : at;
}

size_t edit_line_end(const struct edit_text *t, size_t at)
{
	return at + strcspn(t->text + at, "\r\n");
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

size_t edit_tail(const struct edit_text *t, const struct edit_node *n)
{
	size_t at = n->end;

	while (at > n->begin && is_blank(t->text[at - 1]))
		at--;
	return at;
}

size_t edit_after_key(const struct edit_text *t, const struct edit_node *n)
{
	size_t at = n->key_end;

	if (n->key == NULL)
		return n->dash + 1;
	while (at < n->begin && t->text[at] != ':')
		at++;
	return HD_MIN(at + 1, t->len);
}

/* A word may have a '#' in it. */
unsigned edit_comment(const struct edit_text *t, size_t begin, size_t end)
{
	size_t w = 0, at = begin;

	while (at < end) {
		while (w < t->n_words && t->words[w].end <= at)
			w++;
		if (w < t->n_words && t->words[w].begin <= at) {
			at = t->words[w].end;
			continue;
		}
		if (t->text[at] == '#')
			return edit_line(t->text, at);
		at++;
	}
	return 0;
}
