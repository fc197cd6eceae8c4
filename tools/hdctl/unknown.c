/* SPDX-License-Identifier: MIT */
/* tools/hdctl/unknown.c - words that are no command, ours or the daemon's: what
 * was probably meant. */
#include <hyper-derp/near.h>
#include <string.h>

#include "tools/hdctl/hdctl.h"

enum { NAMES_MAX = 640, SAID_BYTES = 80, REST_BYTES = 400, NEAR_BYTES = 32 };

struct names {
	const char *v[NAMES_MAX];
	size_t n;
};

static void add(struct names *all, const char *name)
{
	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->v[i], name) == 0)
			return;
	if (all->n < NAMES_MAX)
		all->v[all->n++] = name;
}

static void collect(const struct hdctl *h, struct names *all)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(h->commands, i, entry)
	{
		const char *words =
			json_string_value(json_object_get(entry, "words"));

		if (words != NULL)
			add(all, words);
	}
	for (const struct local *l = locals; l->words != NULL; l++)
		if (l->help != NULL)
			add(all, l->words);
}

static void join(char to[SAID_BYTES], const char *const *words, size_t n)
{
	size_t len = 0;

	to[0] = '\0';
	for (size_t i = 0; i < n && len < SAID_BYTES / 2; i++)
		len += (size_t)snprintf(to + len, SAID_BYTES - len, "%s%.24s",
					i > 0 ? " " : "", words[i]);
}

/* "module" alone. Returns whether any command begins so: they are in rest. */
static bool is_beginning(const struct names *all, const char *said,
			 char rest[REST_BYTES])
{
	size_t n = strlen(said), len = 0;

	for (size_t i = 0; i < all->n && len < REST_BYTES; i++)
		if (strncmp(all->v[i], said, n) == 0 && all->v[i][n] == ' ')
			len += (size_t)snprintf(rest + len, REST_BYTES - len,
						"%s%s", len > 0 ? ", " : "",
						all->v[i] + n + 1);
	return len > 0;
}

/* The last words may be arguments. */
static const char *nearest(const struct names *all, const char *const *words,
			   size_t n)
{
	char said[SAID_BYTES];
	const char *near = NULL;

	for (; near == NULL && n > 0; n--) {
		join(said, words, n);
		near = hd_near(said, all->v, all->n);
	}
	return near;
}

/* "modules" for "module ...". */
static const char *nearest_beginning(const struct names *all, const char *said)
{
	static char firsts[NAMES_MAX][NEAR_BYTES];
	struct names begin = { .n = 0 };

	for (size_t i = 0; i < all->n; i++) {
		snprintf(firsts[i], NEAR_BYTES, "%.*s",
			 (int)strcspn(all->v[i], " "), all->v[i]);
		add(&begin, firsts[i]);
	}
	return hd_near(said, begin.v, begin.n);
}

/* ---- commands of a module that is not loaded ---- */

static bool has_commands_of(const struct hdctl *h, const char *module)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(h->commands, i, entry)
	{
		const char *of =
			json_string_value(json_object_get(entry, "module"));

		if (of != NULL && strcmp(of, module) == 0)
			return true;
	}
	return false;
}

static int not_loaded(const char *module)
{
	return hdctl_fail(HDCTL_USAGE,
			  "the module %s, which has this command, is not "
			  "loaded; now, and at every start: hdctl module "
			  "enable %s",
			  module, module);
}

/* Those of ours that have commands; each begins with the module's name. */
static const char *missing_module(const struct hdctl *h, const char *word)
{
	static const char *const ours[] = { "derp", "stun", "wg" };

	for (size_t i = 0; i < HD_ARRAY_N(ours); i++)
		if (strcmp(ours[i], word) == 0 && !has_commands_of(h, word))
			return ours[i];
	return NULL;
}

int hdctl_needs(struct hdctl *h, const char *module)
{
	int r = hdctl_commands(h);

	return r != HDCTL_OK || has_commands_of(h, module) ? r
							   : not_loaded(module);
}

int hdctl_unknown(const struct hdctl *h, const char *const *words, size_t n)
{
	char said[SAID_BYTES], rest[REST_BYTES];
	struct names all = { .n = 0 };
	const char *near;

	if (missing_module(h, words[0]) != NULL)
		return not_loaded(words[0]);
	collect(h, &all);
	join(said, words, n);
	if (is_beginning(&all, said, rest))
		return hdctl_fail(HDCTL_USAGE,
				  "\"%s\" is the beginning of a command; "
				  "expected next: %s",
				  said, rest);
	near = nearest(&all, words, n);
	if (near == NULL)
		near = nearest_beginning(&all, words[0]);
	if (near == NULL)
		return hdctl_fail(HDCTL_USAGE,
				  "there is no command \"%s\"; \"help\" lists "
				  "those there are",
				  said);
	if (strcmp(near, said) == 0)
		return hdctl_fail(HDCTL_USAGE,
				  "\"%s\" is given as one word: a command's "
				  "words are separate",
				  said);
	return hdctl_fail(HDCTL_USAGE,
			  "there is no command \"%s\"; is \"%s\" meant?", said,
			  near);
}
