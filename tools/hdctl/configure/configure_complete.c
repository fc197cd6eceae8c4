/* SPDX-License-Identifier: MIT */
/* tools/hdctl/configure/configure_complete.c - what may come next: commands,
 * options as the relay that runs knows them, and what they can be. */
#include "tools/hdctl/configure/configure.h"

#include <string.h>

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text != NULL ? text : "";
}

/* "tls.ktls"; those of entries are named with a number, so not here. */
static void path_of(const json_t *option, char path[192])
{
	const char *section = text_of(option, "section");

	snprintf(path, 192, "%s%s%s", section, *section != '\0' ? "." : "",
		 text_of(option, "name"));
}

static void offer_values(const json_t *option, configure_offer_fn *offer,
			 void *arg)
{
	const json_t *choice;
	size_t i;

	json_array_foreach(json_object_get(option, "choices"), i, choice)
		offer(arg, json_string_value(choice), "");
	if (strcmp(text_of(option, "type"), "bool") == 0) {
		offer(arg, "true", "");
		offer(arg, "false", "");
	}
}

static void offer_options(struct hdctl *h, const char *of,
			  configure_offer_fn *offer, void *arg)
{
	json_t *schema = NULL;
	const json_t *option;
	struct hd_error err;
	char path[192];
	size_t i;

	if (ask_words(&h->ask, "config schema", &schema, &err) != HDCTL_OK)
		return;
	json_array_foreach(schema, i, option)
	{
		path_of(option, path);
		if (strchr(path, '[') != NULL)
			continue;
		if (of == NULL)
			offer(arg, path, text_of(option, "help"));
		else if (strcmp(of, path) == 0)
			offer_values(option, offer, arg);
	}
	json_decref(schema);
}

static bool takes_option(const char *word)
{
	return strcmp(word, "set") == 0 || strcmp(word, "add") == 0 ||
	       strcmp(word, "delete") == 0 || strcmp(word, "show") == 0;
}

void configure_complete(struct hdctl *h, const char *const *words, size_t n,
			configure_offer_fn *offer, void *arg)
{
	if (n == 0)
		for (const struct configure_command *i = configure_commands;
		     i->word != NULL; i++)
			offer(arg, i->word, i->help);
	else if (strcmp(words[0], "commit") == 0) {
		offer(arg, "confirmed", "for a time, until it is confirmed");
		offer(arg, "comment", "for the history");
		offer(arg, "--no-reload", "write the file only");
	} else if (n == 1 && takes_option(words[0]))
		offer_options(h, NULL, offer, arg);
	else if (n == 2 && takes_option(words[0]))
		offer_options(h, words[1], offer, arg);
}
