/* SPDX-License-Identifier: MIT */
/* tools/hdctl/complete.c - what may come next: from the daemon's table, and
 * from the daemon itself where an argument names something of it. */
#include <string.h>

#include "tools/hdctl/complete.h"
#include "tools/hdctl/configure/configure.h"
#include "tools/hdctl/completion.h"

struct completing {
	struct hdctl *h;
	const char *const *words; /* whole ones */
	size_t n;
	const char *prefix;
	complete_fn *found;
	void *arg;
	char seen[4096]; /* " word word ": none is offered twice */
};

static void offer(struct completing *c, const char *text, size_t len,
		  const char *help)
{
	char word[128], spaced[132];
	size_t n = strlen(c->seen);

	if (len >= sizeof(word) || len < strlen(c->prefix) ||
	    strncmp(text, c->prefix, strlen(c->prefix)) != 0)
		return;
	memcpy(word, text, len);
	word[len] = '\0';
	(void)snprintf(spaced, sizeof(spaced), " %s ", word);
	if (strstr(c->seen, spaced) != NULL)
		return;
	if (n + sizeof(spaced) < sizeof(c->seen))
		strcpy(c->seen + n, spaced);
	c->found(c->arg, word, help);
}

/* How far the words lead into a command: its text behind them, or NULL. */
static const char *rest_of(const struct completing *c, const char *command,
			   size_t *ret_used)
{
	size_t i;

	for (i = 0; i < c->n && *command != '\0'; i++) {
		size_t len = strcspn(command, " ");

		if (strlen(c->words[i]) != len ||
		    memcmp(c->words[i], command, len) != 0)
			return NULL;
		command += len + (command[len] == ' ');
	}
	*ret_used = i;
	return command;
}

static void offer_next_word(struct completing *c, const char *command,
			    const char *help)
{
	size_t used, len;
	const char *rest = rest_of(c, command, &used);

	if (rest == NULL || *rest == '\0')
		return;
	len = strcspn(rest, " ");
	offer(c, rest, len, rest[len] == '\0' ? help : "...");
}

static void offer_members(struct completing *c, const char *command,
			  const char *member)
{
	const json_t *row;
	struct hd_error err;
	json_t *data;
	size_t i;

	if (ask_words(&c->h->ask, command, &data, &err) != HDCTL_OK)
		return;
	json_array_foreach(data, i, row)
	{
		const char *text =
			json_string_value(json_object_get(row, member));

		if (text != NULL)
			offer(c, text, HD_MIN(strlen(text), 16u), "");
	}
	json_decref(data);
}

static void offer_value(struct completing *c, const char *kind)
{
	static const char *const levels[] = { "error", "warn", "notice", "info",
					      "debug" };

	if (strcmp(kind, "KEY") == 0)
		offer_members(c, "peers", "key");
	else if (strcmp(kind, "MODULE") == 0)
		offer_members(c, "module status", "name");
	else if (strcmp(kind, "LEVEL") == 0)
		for (size_t i = 0; i < HD_ARRAY_N(levels); i++)
			offer(c, levels[i], strlen(levels[i]), "");
}

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text != NULL ? text : "";
}

/* Behind the whole command: its options, and what its next argument takes. */
static void offer_arguments(struct completing *c, const json_t *entry)
{
	const char *before = c->n > 0 ? c->words[c->n - 1] : "";
	const json_t *a;
	char option[64];
	size_t i;

	json_array_foreach(json_object_get(entry, "arguments"), i, a)
	{
		const char *kind = text_of(a, "kind");

		(void)snprintf(option, sizeof(option), "--%s",
			       text_of(a, "name"));
		if (!json_is_true(json_object_get(a, "option")))
			offer_value(c, kind);
		else if (kind[0] != '\0' && strcmp(before, option) == 0)
			offer_value(c, kind);
		else
			offer(c, option, strlen(option), kind);
	}
}

/* Of a command of ours: what its usage names. */
static void offer_options(struct completing *c, const struct local *l)
{
	size_t used;
	const char *rest = rest_of(c, l->words, &used);

	if (rest == NULL || *rest != '\0')
		return;
	for (const char *p = strstr(l->args, "--"); p != NULL;
	     p = strstr(p + 2, "--"))
		offer(c, p, strcspn(p, " ]|"), l->words);
}

static void offer_word(void *arg, const char *word, const char *help)
{
	offer(arg, word, strlen(word), help);
}

void complete_each(struct hdctl *h, const char *const *words, size_t n,
		   const char *prefix, complete_fn *found, void *arg)
{
	struct completing c = { h, words, n, prefix, found, arg, "" };
	const json_t *entry;
	size_t i;

	(void)hdctl_commands(h); /* without a relay ours are offered */
	if (n > 0 && strcmp(words[0], "configure") == 0) {
		configure_complete(h, words + 1, n - 1, offer_word, &c);
		return;
	}
	json_array_foreach(h->commands, i, entry)
	{
		const char *name = text_of(entry, "words");

		offer_next_word(&c, name, text_of(entry, "help"));
	}
	for (const struct local *l = locals; l->words != NULL; l++)
		if (l->help != NULL) {
			offer_next_word(&c, l->words, l->help);
			offer_options(&c, l);
		}
	entry = hdctl_find(h, words, n);
	if (entry != NULL)
		offer_arguments(&c, entry);
}

static void put_line(void *unused, const char *word, const char *help)
{
	(void)unused;
	(void)help;
	puts(word);
}

/* The last word is what is to be completed; it may be empty. */
int run_complete(struct hdctl *h, const char *const *words, size_t n)
{
	if (n > 0 && strcmp(words[0], "--") == 0) {
		words++;
		n--;
	}
	if (n > 0)
		complete_each(h, words, n - 1, words[n - 1], put_line, NULL);
	else
		complete_each(h, words, 0, "", put_line, NULL);
	return HDCTL_OK;
}

static const struct {
	const char *shell, *script;
} scripts[] = {
	{ "bash", COMPLETION_BASH },
	{ "zsh", COMPLETION_ZSH },
	{ "fish", COMPLETION_FISH },
};

int run_completion(struct hdctl *h, const char *const *words, size_t n)
{
	(void)h;
	for (size_t i = 0; n == 1 && i < HD_ARRAY_N(scripts); i++)
		if (strcmp(scripts[i].shell, words[0]) == 0) {
			fputs(scripts[i].script, stdout);
			return HDCTL_OK;
		}
	return hdctl_fail(HDCTL_USAGE, "completion bash, zsh or fish");
}
