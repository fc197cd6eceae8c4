/* SPDX-License-Identifier: MIT */
/* core/control/control_table.c - the commands there are. Sorted by their words,
 * so that help and completion come out in order. Main thread. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "core/conf/conf_node.h"
#include "core/control/control.h"
#include "core/control/control_table.h"
#include "core/module/module.h"
#include "core/module/registry.h"

enum { COMMANDS_MAX = 512 };

static struct hd_command_entry *entries;
static unsigned n_entries;

unsigned hd_commands_n(void)
{
	return n_entries;
}

const struct hd_command_entry *hd_commands_at(unsigned i)
{
	hd_assert(i < n_entries);
	return &entries[i];
}

const char *hd_role_text(enum hd_role role)
{
	static const char *const text[] = {
		[HD_ROLE_READ] = "read",
		[HD_ROLE_OPERATE] = "operate",
		[HD_ROLE_ADMIN] = "admin",
	};

	return text[role];
}

/* Words of lower case letters, digits, - and _, one space between them.
 * Returns how many; 0: that is no command. */
static unsigned count_words(const char *words)
{
	unsigned n = 1;

	for (const char *p = words; *p != '\0'; p++) {
		if (*p == ' ' && p > words && p[-1] != ' ' && p[1] != '\0')
			n++;
		else if (strchr("abcdefghijklmnopqrstuvwxyz0123456789-_", *p) ==
			 NULL)
			return 0;
	}
	return *words != '\0' ? n : 0;
}

static int entry_make(struct hd_module *mod, const struct hd_command *c,
		      struct hd_command_entry *e, struct hd_error *err)
{
	*e = (struct hd_command_entry){ .mod = mod, .command = c };
	e->n_words = c->words != NULL ? count_words(c->words) : 0;
	if (e->n_words == 0 || c->help == NULL ||
	    (c->run == NULL) == (c->each == NULL))
		return hd_error_set(err, -EINVAL,
				    "command \"%s\": it needs words of a-z, a "
				    "help text, and one of run and each: "
				    "report it to the module's author",
				    c->words != NULL ? c->words : "");
	int n = hd_args_parse(c->args != NULL ? c->args : "", e->args, err);

	if (n < 0) {
		struct hd_error why = *err;
		return hd_error_set(err, n, "command \"%s\": %s", c->words,
				    why.text);
	}
	e->n_args = (unsigned)n;
	return 0;
}

static const struct hd_kind command_kind = {
	.name = "commands",
	.withdraw = hd_commands_drop,
	.busy = hd_control_calls,
	.busy_text = "a command",
};

int hd_command_add(struct hd_module *mod, const struct hd_command *command,
		   struct hd_error *err)
{
	struct hd_command_entry e;
	struct hd_error unused;
	unsigned at = 0;
	int r = entry_make(mod, command, &e, err != NULL ? err : &unused);

	if (r < 0)
		return r;
	while (at < n_entries &&
	       strcmp(entries[at].command->words, command->words) < 0)
		at++;
	if (at < n_entries &&
	    strcmp(entries[at].command->words, command->words) == 0)
		return hd_error_set(err, -EEXIST,
				    "command \"%s\" is taken by %s%s: load "
				    "only one of the two",
				    command->words,
				    entries[at].mod ? "module " : "the core",
				    entries[at].mod ? entries[at].mod->name
						    : "");
	struct hd_command_entry *v =
		n_entries < COMMANDS_MAX
			? realloc(entries, (n_entries + 1) * sizeof(*v))
			: NULL;

	if (v == NULL)
		return hd_error_set(err, -ENOMEM,
				    "command \"%s\": out of memory",
				    command->words);
	entries = v;
	memmove(&v[at + 1], &v[at], (n_entries - at) * sizeof(*v));
	v[at] = e;
	n_entries++;
	hd_registry_add(&command_kind);
	return 0;
}

void hd_commands_drop(const struct hd_module *mod)
{
	unsigned n = 0;

	for (unsigned i = 0; i < n_entries; i++)
		if (mod != NULL && entries[i].mod != mod)
			entries[n++] = entries[i];
	n_entries = n;
	if (n > 0)
		return;
	free(entries);
	entries = NULL;
}

/* ---- finding ---- */

static bool begins_with(const struct hd_command_entry *e,
			const char *const *words, size_t n)
{
	const char *p = e->command->words;

	if (e->n_words > n)
		return false;
	for (unsigned i = 0; i < e->n_words; i++) {
		size_t len = strcspn(p, " ");

		if (strlen(words[i]) != len || memcmp(words[i], p, len) != 0)
			return false;
		p += len + (p[len] == ' ');
	}
	return true;
}

/* "module" alone. Returns whether any command begins so. */
static bool is_beginning(const char *said, struct hd_error *err)
{
	char rest[300] = "";
	size_t n = strlen(said), len = 0;

	for (unsigned i = 0; i < n_entries && len < sizeof(rest); i++) {
		const char *words = entries[i].command->words;

		if (strncmp(words, said, n) == 0 && words[n] == ' ')
			len += (size_t)snprintf(rest + len, sizeof(rest) - len,
						"%s%s", len > 0 ? ", " : "",
						words + n + 1);
	}
	if (len == 0)
		return false;
	hd_error_set(err, -ENOENT, "\"%s\" is the beginning of a command; "
		     "expected next: %s", said, rest);
	return true;
}

static void join(char *to, size_t size, const char *const *words, size_t n)
{
	to[0] = '\0';
	for (size_t i = 0; i < n && strlen(to) < size / 2; i++) {
		size_t len = strlen(to);

		snprintf(to + len, size - len, "%s%.24s", i > 0 ? " " : "",
			 words[i]);
	}
}

static int not_found(const char *const *words, size_t n, struct hd_error *err)
{
	const char *names[COMMANDS_MAX] = { NULL };
	char said[80];

	join(said, sizeof(said), words, n);
	if (is_beginning(said, err))
		return -ENOENT;
	for (unsigned i = 0; i < n_entries; i++)
		names[i] = entries[i].command->words;
	const char *nearest = hd_near(said, names, n_entries);

	if (nearest != NULL && strcmp(nearest, said) == 0)
		return hd_error_set(err, -ENOENT,
				    "\"%s\" is given as one word: a command's "
				    "words are separate",
				    said);
	while (nearest == NULL && n-- > 1) { /* the last words are arguments */
		char some[sizeof(said)];

		join(some, sizeof(some), words, n);
		nearest = hd_near(some, names, n_entries);
	}
	if (nearest != NULL)
		return hd_error_set(err, -ENOENT,
				    "there is no command \"%s\"; is \"%s\" "
				    "meant?",
				    said, nearest);
	return hd_error_set(err, -ENOENT,
			    "there is no command \"%s\"; \"commands\" lists "
			    "those there are",
			    said);
}

const struct hd_command_entry *hd_command_find(const char *const *words,
					       size_t n, size_t *ret_used,
					       struct hd_error *err)
{
	const struct hd_command_entry *best = NULL;

	for (unsigned i = 0; i < n_entries; i++)
		if (begins_with(&entries[i], words, n) &&
		    (best == NULL || best->n_words < entries[i].n_words))
			best = &entries[i];
	if (best == NULL)
		not_found(words, n, err);
	else
		*ret_used = best->n_words;
	return best;
}
