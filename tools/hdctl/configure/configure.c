/* SPDX-License-Identifier: MIT */
/* tools/hdctl/configure/configure.c - hdctl configure: which command, and who
 * gives it. */
#include "tools/hdctl/configure/configure.h"

#include <hyper-derp/near.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/hdctl/clean.h"

const struct configure_command configure_commands[] = {
	{ "add", "PATH VALUE", "one more item of a list", configure_add, true },
	{ "check", "", "whether the relay would take the candidate, and what "
	  "of it needs a restart", configure_try, false },
	{ "commit", "[confirmed [TIME]] [comment TEXT] [--no-reload]",
	  "the candidate becomes the configuration; confirmed: for TIME (10m), "
	  "until another commit confirms it", configure_commit, true },
	{ "delete", "PATH [ITEM]", "an option, a section, an item of a list",
	  configure_delete, true },
	{ "diff", "", "what a commit would change in the files",
	  configure_diff, false },
	{ "discard", "", "drop the candidate; a trial ends",
	  configure_discard, true },
	{ "history", "", "commits, the newest is 0", configure_log, false },
	{ "rollback", "N", "the candidate becomes what was before the last N "
	  "commits; 0: what is committed", configure_rollback, true },
	{ "set", "PATH VALUE", "an option: set log.level debug",
	  configure_set, true },
	{ "show", "[PATH]", "the candidate, or one option of it",
	  configure_show, false },
	{ "update", "", "put the candidate's changes onto a file that was "
	  "changed by hand meanwhile", configure_update, true },
	{ .word = NULL },
};

/* Who logged in, also behind sudo. Source: proc(5), /proc/PID/loginuid. */
static uid_t login_uid(void)
{
	FILE *f = fopen("/proc/self/loginuid", "re");
	unsigned uid = (unsigned)-1;

	if (f != NULL && fscanf(f, "%u", &uid) != 1)
		uid = (unsigned)-1;
	if (f != NULL)
		fclose(f);
	return uid == (unsigned)-1 ? getuid() : uid;
}

static void find_who(struct configure *c)
{
	const char *sudo = getenv("SUDO_USER"), *tty = ttyname(STDIN_FILENO);
	uid_t uid = login_uid();
	const struct passwd *pw = getpwuid(uid);
	char number[16];

	snprintf(number, sizeof(number), "%u", (unsigned)uid);
	snprintf(c->who, sizeof(c->who), "%.40s%s%.40s",
		 uid == 0 && sudo != NULL ? sudo
		 : pw != NULL		  ? pw->pw_name
					  : number,
		 tty != NULL ? " on " : "", tty != NULL ? tty + 5 : "");
}

static const struct configure_command *find(const char *word)
{
	const struct configure_command *i = configure_commands;

	while (i->word != NULL && strcmp(i->word, word) != 0)
		i++;
	return i->word != NULL ? i : NULL;
}

static int unknown(const char *word)
{
	const char *names[32], *near;
	size_t n = 0;

	for (const struct configure_command *i = configure_commands;
	     i->word != NULL; i++)
		names[n++] = i->word;
	near = hd_near(word, names, n);
	return hdctl_fail(HDCTL_USAGE,
			  "configure has no command \"%s\"%s%s%s", word,
			  near != NULL ? "; is \"" : ", see: configure help",
			  near != NULL ? near : "",
			  near != NULL ? "\" meant?" : "");
}

static int help(void)
{
	for (const struct configure_command *i = configure_commands;
	     i->word != NULL; i++)
		printf("  %s%s%s\n%12s%s\n", i->word,
		       i->args[0] != '\0' ? " " : "", i->args, "", i->help);
	return HDCTL_OK;
}

static void put_change(const char *by, const json_t *op)
{
	static const char *const parts[] = { "op", "path", "value" };

	fputs("note: the candidate has a change by ", stderr);
	clean_put(stderr, by, false);
	putc(':', stderr);
	for (size_t i = 0; i < HD_ARRAY_N(parts); i++) {
		const char *text =
			json_string_value(json_object_get(op, parts[i]));

		putc(' ', stderr);
		clean_put(stderr, text != NULL ? text : "", false);
	}
	putc('\n', stderr);
}

/* What others have done to the candidate is told, once in a shell. */
static void tell_others(struct configure *c)
{
	const json_t *ops = json_object_get(c->cand, "ops"), *op;
	size_t n = json_array_size(ops), i;

	if (n < c->h->configure_seen && !c->h->json)
		fputs("note: the candidate you had is gone: somebody has "
		      "committed or discarded it\n", stderr);
	json_array_foreach(ops, i, op)
	{
		const char *by = json_string_value(json_object_get(op, "by"));

		if (c->h->json || i < c->h->configure_seen || by == NULL ||
		    strcmp(by, c->who) == 0)
			continue;
		put_change(by, op);
	}
	if (configure_by_hand(c) != NULL && !c->h->json)
		fprintf(stderr, "note: %s was changed by hand since the "
			"candidate began; put the changes onto it with: "
			"configure update\n", configure_by_hand(c));
}

static int run(struct configure *c, const struct configure_command *command,
	       const char *file, const char *const *words, size_t n)
{
	int r = configure_find(c, file);

	if (r == HDCTL_OK && command->writes)
		r = configure_lock(c);
	if (r == HDCTL_OK)
		r = configure_load(c);
	if (r == HDCTL_OK)
		tell_others(c);
	if (r == HDCTL_OK)
		r = command->run(c, words, n);
	if (c->h->shell)
		c->h->configure_seen =
			json_array_size(json_object_get(c->cand, "ops"));
	return r;
}

/* The line that names the file is gone at the next one. */
static int enter(struct hdctl *h, const char *file)
{
	char *copy = file != NULL ? strdup(file) : NULL;

	if (file != NULL && copy == NULL)
		return hdctl_fail(HDCTL_REFUSED, "out of memory");
	free(h->configure_file);
	h->configure_file = copy;
	h->configuring = true;
	return h->shell ? HDCTL_OK : run_shell(h);
}

int run_configure(struct hdctl *h, const char *const *words, size_t n)
{
	struct configure c = { .h = h, .lock = -1 };
	const struct configure_command *command;
	const char *file = h->configure_file;
	int r;

	if (n >= 2 && strcmp(words[0], "-c") == 0) {
		file = words[1];
		words += 2;
		n -= 2;
	}
	if (n == 0 && (h->shell || isatty(STDIN_FILENO)))
		return enter(h, file);
	if (n == 0 || strcmp(words[0], "help") == 0)
		return help();
	command = find(words[0]);
	if (command == NULL)
		return unknown(words[0]);
	find_who(&c);
	r = run(&c, command, file, words + 1, n - 1);
	configure_end(&c);
	return r;
}
