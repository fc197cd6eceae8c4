/* SPDX-License-Identifier: MIT */
/* t/lib/modules/words.h - many arguments of a test module's command. A command
 * has eight at most, and no control characters: here they are one, `text`, made
 * of NAME=VALUE with two semicolons between; ^ stands for CR and ~ for LF. */
#pragma once
#include <hyper-derp/control.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 24 };
struct words {
	char *v[WORDS_MAX + 1];
};

/* They live as long as the call. */
static inline struct words words_of(struct hd_call *call)
{
	const char *text = hd_call_arg(call, "text");
	char *copy = hd_call_data(call, strlen(text) + 1);
	struct words w = { { NULL } };

	for (size_t i = 0; text[i] != '\0'; i++)
		copy[i] = text[i] == '^'   ? '\r'
			  : text[i] == '~' ? '\n'
					   : text[i];
	for (unsigned i = 0; i < WORDS_MAX && copy != NULL; i++) {
		char *end = strstr(copy, ";;");

		w.v[i] = copy;
		if (end != NULL)
			*end = '\0';
		copy = end != NULL ? end + 2 : NULL;
	}
	return w;
}

/* Returns NULL where nobody said it. */
static inline const char *word(const struct words *w, const char *name)
{
	size_t n = strlen(name);

	for (unsigned i = 0; w->v[i] != NULL; i++)
		if (strncmp(w->v[i], name, n) == 0 && w->v[i][n] == '=')
			return w->v[i] + n + 1;
	return NULL;
}

static inline uint32_t word_number(const struct words *w, const char *name)
{
	const char *text = word(w, name);

	return text != NULL ? (uint32_t)strtoul(text, NULL, 10) : 0;
}
