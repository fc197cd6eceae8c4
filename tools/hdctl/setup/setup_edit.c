/* SPDX-License-Identifier: MIT */
/* tools/hdctl/setup/setup_edit.c - a section of a file is replaced, all other
 * bytes of it stay. Whoever calls this reads the result again: where a file is
 * written in a way that this does not expect, the two differ. */
#include <stdlib.h>
#include <string.h>

#include "tools/hdctl/setup/setup.h"

static const char *next_line(const char *p)
{
	const char *end = strchr(p, '\n');

	return end != NULL ? end + 1 : p + strlen(p);
}

static bool begins_section(const char *line, const char *key)
{
	size_t n = strlen(key);

	return strncmp(line, key, n) == 0 && line[n] == ':';
}

/* Whether a line goes on with the section above: it is indented, an item of a
 * list, the end of a list in brackets, empty, or a comment. */
static bool goes_on(const char *line)
{
	return strchr(" \t-]}#\n", line[0]) != NULL && line[0] != '\0' &&
	       strncmp(line, "---", 3) != 0;
}

static bool is_blank(const char *line)
{
	return line[0] == '\n' || line[0] == '#';
}

/* The lines of a section, without what stands before the next one. */
static const char *find(const char *text, const char *key,
			const char **ret_end)
{
	const char *p = text, *begin;

	while (*p != '\0' && !begins_section(p, key))
		p = next_line(p);
	if (*p == '\0')
		return NULL;
	begin = p;
	*ret_end = p = next_line(p);
	for (; *p != '\0' && goes_on(p); p = next_line(p))
		if (!is_blank(p))
			*ret_end = next_line(p);
	return begin;
}

static unsigned line_of(const char *text, const char *at)
{
	unsigned n = 1;

	for (; text < at; text++)
		n += *text == '\n';
	return n;
}

/* '#' within quotes is none; one too many only means that we ask a person. */
static unsigned find_comment(const char *text, const char *begin,
			     const char *end)
{
	for (const char *p = begin; p < end; p++)
		if (*p == '#' &&
		    (p == begin || strchr(" \t\n", p[-1]) != NULL))
			return line_of(text, p);
	return 0;
}

static char *put_together(const char *head, size_t head_n, const char *key,
			  const json_t *value, const char *tail)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	if (out == NULL)
		return NULL;
	fwrite(head, 1, head_n, out);
	if (head_n > 0 && head[head_n - 1] != '\n')
		putc('\n', out);
	if (value != NULL)
		yaml_emit(out, key, value);
	fputs(tail, out);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

char *setup_edit(const char *text, const char *key, const json_t *value,
		 unsigned *ret_line)
{
	const char *end, *begin = find(text, key, &end);

	*ret_line = 0;
	if (begin == NULL)
		return put_together(text, strlen(text), key, value, "");
	*ret_line = find_comment(text, begin, end);
	return put_together(text, (size_t)(begin - text), key, value, end);
}
