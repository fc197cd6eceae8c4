/* SPDX-License-Identifier: MIT */
/* tools/hdctl/file_arg.c - arguments of the kind FILE: the user names a file,
 * the relay gets its text. So it is the user's rights that decide what can be
 * read, and the relay never opens a file for anybody. */
#include "tools/hdctl/file_arg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX_BYTES = 32 * 1024 * 1024 };

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text != NULL ? text : "";
}

static bool is_true(const json_t *o, const char *name)
{
	return json_is_true(json_object_get(o, name));
}

/* The option of that name, up to its '='; NULL: there is none. */
static const json_t *find_option(const json_t *arguments, const char *word)
{
	size_t n = strcspn(word, "="), i;
	const json_t *a;

	json_array_foreach(arguments, i, a)
	{
		const char *name = text_of(a, "name");

		if (is_true(a, "option") && strlen(name) == n &&
		    memcmp(name, word, n) == 0)
			return a;
	}
	return NULL;
}

static const json_t *next_place(const json_t *arguments, size_t *at)
{
	const json_t *a;

	while ((a = json_array_get(arguments, (*at)++)) != NULL)
		if (!is_true(a, "option"))
			return a;
	return NULL;
}

size_t file_arg_find(const json_t *entry, const char *const *words, size_t n)
{
	const json_t *arguments = json_object_get(entry, "arguments");
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		const json_t *a;

		if (strncmp(words[i], "--", 2) == 0 && words[i][2] != '\0') {
			a = find_option(arguments, words[i] + 2);
			if (a != NULL && text_of(a, "kind")[0] != '\0' &&
			    strchr(words[i], '=') == NULL)
				i++;
			continue;
		}
		a = next_place(arguments, &at);
		if (a == NULL || is_true(a, "rest"))
			break;
		if (strcmp(text_of(a, "kind"), "FILE") == 0)
			return i;
	}
	return n;
}

static void close_file(FILE **file)
{
	if (*file != NULL && *file != stdin)
		fclose(*file);
}

static int read_text(FILE *file, char *buf, size_t *ret_n)
{
	size_t n = fread(buf, 1, FILE_MAX_BYTES + 1, file);

	if (ferror(file))
		return -errno;
	if (n > FILE_MAX_BYTES)
		return -EFBIG;
	buf[n] = '\0';
	*ret_n = n;
	return strlen(buf) == n ? 0 : -EILSEQ;
}

int file_arg_read(const char *name, char **ret_text, struct hd_error *err)
{
	bool in = strcmp(name, "-") == 0;
	HD_AUTO(close_file) FILE *file = in ? stdin : fopen(name, "re");
	char *text = file != NULL ? malloc(FILE_MAX_BYTES + 2) : NULL;
	size_t n = 0;
	int r = text != NULL ? read_text(file, text, &n) : -errno;

	if (r < 0) {
		free(text);
		return hd_error_set(err, HDCTL_USAGE, "%s: %s", name,
				    r == -EILSEQ ? "is not text"
						 : strerror(-r));
	}
	*ret_text = text;
	return HDCTL_OK;
}
