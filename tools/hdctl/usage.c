/* SPDX-License-Identifier: MIT */
/* tools/hdctl/usage.c - COMMAND --help. */
#include <string.h>

#include "tools/hdctl/clean.h"
#include "tools/hdctl/hdctl.h"

/* Whether words begin with all words of a command; arguments may follow. */
static bool begin_with(const char *const *words, size_t n, const char *command)
{
	for (size_t i = 0; *command != '\0'; i++) {
		size_t len = strcspn(command, " ");

		if (i == n || strlen(words[i]) != len ||
		    memcmp(words[i], command, len) != 0)
			return false;
		command += len + (command[len] == ' ');
	}
	return true;
}

static int put_usage(const char *words, const char *args, const char *help)
{
	fputs("usage: hdctl ", stdout);
	clean_put(stdout, words, false);
	if (args != NULL && *args != '\0') {
		putchar(' ');
		clean_put(stdout, args, false);
	}
	fputs("\n\n", stdout);
	clean_put(stdout, help != NULL ? help : "", false);
	puts("; more in hdctl(1)");
	return HDCTL_OK;
}

static bool has_word(const char *args, const char *word)
{
	size_t n = strlen(word);

	/* strstr() finds an empty word everywhere */
	for (const char *at = args; n > 0 && (at = strstr(at, word)) != NULL;
	     at += n)
		if ((at == args || strchr(" [", at[-1]) != NULL) &&
		    strchr(" ]", at[n]) != NULL)
			return true;
	return false;
}

int usage_fail_option(int status, const char *command, const char *word)
{
	bool known = false;

	for (const struct local *l = locals; l->words != NULL; l++)
		if (strcmp(l->words, command) == 0)
			known = has_word(l->args, word);
	return hdctl_fail(status, "%s: %s; see hdctl %s --help", word,
			  known ? "its value is missing" : "no such option",
			  command);
}

static const char *text_of(const json_t *entry, const char *name)
{
	return json_string_value(json_object_get(entry, name));
}

size_t usage_asked(const char *const *words, size_t n)
{
	size_t i = 0;

	if (n > 0 && strcmp(words[0], "complete") == 0)
		return n; /* it asks what may stand behind --help */
	while (i < n && strcmp(words[i], "--help") != 0 &&
	       strcmp(words[i], "-h") != 0)
		i++;
	return i;
}

int run_usage(struct hdctl *h, const char *const *words, size_t n)
{
	const json_t *entry;
	int r;

	/* our own are known without a relay */
	for (const struct local *l = locals; l->words != NULL; l++)
		if (l->help != NULL && begin_with(words, n, l->words))
			return put_usage(l->words, l->args, l->help);
	r = hdctl_commands(h);
	if (r != HDCTL_OK)
		return r;
	entry = hdctl_find(h, words, n);
	return entry == NULL ? run_help(h, words, n)
			     : put_usage(text_of(entry, "words"),
					 text_of(entry, "args"),
					 text_of(entry, "help"));
}
