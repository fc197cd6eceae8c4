/* SPDX-License-Identifier: MIT */
/* tools/hdctl/local.c - the commands that are hdctl's own. */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/hdctl/clean.h"
#include "tools/hdctl/configure/configure.h"
#include "tools/hdctl/doctor/doctor.h"
#include "tools/hdctl/hdctl.h"
#include "tools/hdctl/interrupt.h"
#include "tools/hdctl/setup/setup.h"

const struct local locals[] = {
	{ "help", "[COMMAND...]", "what there is, or more about one", run_help,
	  0, true },
	{ "audit",
	  "[--since TIME] [--user USER] [--what WHAT] [--file FILE] [-f]",
	  "what operators and rules did: the audit log", run_audit, 0, true },
	{ "complete", "", NULL, run_complete, 0, false },
	{ "completion", "bash|zsh|fish", "print a script for a shell",
	  run_completion, 0, true },
	{ "config check", "FILE", "whether a relay would start with this file",
	  run_check_file, 1, true },
	{ "configure",
	  "[-c FILE] [set PATH VALUE | add PATH VALUE | delete PATH [ITEM] | "
	  "show [PATH] | diff | check | commit [confirmed [TIME]] [comment "
	  "TEXT] | rollback N | discard | update | history]",
	  "change the configuration step by step, and commit it at once; "
	  "alone: a shell for that",
	  run_configure, 0, true },
	{ "derpmap",
	  "[--format json|yaml|tailcat] [--host NAME] [--port N] "
	  "[--output FILE] [--region-id N] [--region-code CODE] "
	  "[--region-name NAME]",
	  "the relay's entry for Tailscale, Headscale and tailcat", run_derpmap,
	  0, false },
	{ "doctor", "[-c FILE] [--host NAME] [--time-from HOST] [--json]",
	  "what is wrong with this relay, and what to do about it", run_doctor,
	  0, true },
	{ "module disable", "NAME",
	  "unload a module, and do not load it at the next start",
	  run_module_disable, 0, true },
	{ "module enable", "NAME",
	  "load a module, now and at every start", run_module_enable, 0, true },
	{ "module new", "NAME", "write the beginning of a module into NAME/",
	  run_module_new, 0, true },
	{ "setup",
	  "[--host NAME] [--cert FILE --key FILE | --self-signed | --acme "
	  "--accept-tos [--email E]] [--who open|keys FILE|headscale URL|"
	  "tailscaled] [--port N] [--stun|--no-stun] [-c FILE] [--yes] "
	  "[--dry-run] [--no-start]",
	  "write the relay's configuration, start it, and print what clients "
	  "need",
	  run_setup, 0, true },
	{ "top", "[-1]",
	  "rates of the relay and of its busiest peers; q ends", run_top,
	  0, false },
	{ "watch", "[EVENT...]", "print events as they happen", run_watch, 0,
	  false },
	{ "wg client-config",
	  "NAME [--endpoint HOST] [--address IP] [--private-key FILE | "
	  "--new-key [--link PEER]...] [--qr]",
	  "a WireGuard client's configuration, ready for wg-quick",
	  run_client_config, 0, false },
	{ .words = NULL },
};

const struct local *local_find(const char *const *words, size_t n,
			       size_t *ret_used)
{
	for (const struct local *l = locals; l->words != NULL; l++) {
		const char *space = strchr(l->words, ' ');
		size_t len = space != NULL ? (size_t)(space - l->words)
					   : strlen(l->words);

		if (n < 1 || strlen(words[0]) != len ||
		    memcmp(words[0], l->words, len) != 0)
			continue;
		if (space != NULL &&
		    (n < 2 || strcmp(words[1], space + 1) != 0))
			continue;
		*ret_used = space != NULL ? 2 : 1;
		return n - *ret_used >= l->min ? l : NULL;
	}
	return NULL;
}

static const char *text_of(const json_t *entry, const char *name)
{
	const char *text = json_string_value(json_object_get(entry, name));

	return text != NULL ? text : "";
}

static void put_help(const char *words, const char *args, const char *help)
{
	char line[PRINT_CELL_BYTES];
	int n;

	(void)snprintf(line, sizeof(line), "%s%s%s", words,
		       args[0] != '\0' ? " " : "", args);
	n = printf("  %s", line);

	if (n < 34)
		printf("%*s %s\n", 34 - n, "", help);
	else
		printf("\n%35s%s\n", "", help);
}

static bool begins(const char *all, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(words[i]);

		if (strncmp(all, words[i], len) != 0 ||
		    (all[len] != ' ' && all[len] != '\0'))
			return false;
		all += len + (all[len] == ' ');
	}
	return true;
}

static bool is_local(const char *words)
{
	for (const struct local *l = locals; l->words != NULL; l++)
		if (l->min == 0 && strcmp(l->words, words) == 0)
			return true;
	return false;
}

static unsigned help_ours(const char *const *words, size_t n, bool alone)
{
	unsigned shown = 0;

	for (const struct local *l = locals; l->words != NULL; l++) {
		if (l->help == NULL || !begins(l->words, words, n) ||
		    (alone && !l->alone))
			continue;
		put_help(l->words, l->args, l->help);
		shown++;
	}
	return shown;
}

/* Who has no relay yet wants to know how to get one. */
static int help_alone(int r, const char *const *words, size_t n)
{
	if (r == HDCTL_NO_DAEMON && n == 0)
		puts("without a relay:");
	if (r == HDCTL_NO_DAEMON)
		(void)help_ours(words, n, true);
	return r;
}

int run_help(struct hdctl *h, const char *const *words, size_t n)
{
	const json_t *entry;
	unsigned shown = 0;
	size_t i;
	int r = hdctl_commands(h);

	if (r != HDCTL_OK)
		return help_alone(r, words, n);
	json_array_foreach(h->commands, i, entry)
	{
		const char *name = text_of(entry, "words");

		if (!begins(name, words, n) || is_local(name))
			continue;
		put_help(name, text_of(entry, "args"), text_of(entry, "help"));
		shown++;
	}
	shown += help_ours(words, n, false);
	return shown > 0 ? HDCTL_OK
			 : hdctl_fail(HDCTL_USAGE, "there is no command \"%s\"",
				      words[0]);
}

static void put_event(const struct hdctl *h, const json_t *event)
{
	char time[PRINT_CELL_BYTES], value[PRINT_CELL_BYTES];
	const json_t *v;
	const char *name;

	if (h->json) {
		clean_json(stdout, event, JSON_COMPACT);
		return;
	}
	printf("%s %-10s",
	       print_cell("time", json_object_get(event, "time"), time),
	       clean_copy(value, sizeof(value), text_of(event, "event")));
	json_object_foreach (json_object_get(event, "data"), name, v) {
		putchar(' ');
		clean_put(stdout, name, false);
		printf("=%s", print_cell(name, v, value));
	}
	putchar('\n');
}

int exec_relay(const char *flag, const char *file)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);
	char *slash;

	path[n > 0 ? n : 0] = '\0';
	slash = strrchr(path, '/');
	if (slash != NULL) {
		strcpy(slash + 1, "hyper-derp");
		execl(path, "hyper-derp", flag, "-c", file, (char *)NULL);
		strcpy(slash + 1, "../sbin/hyper-derp");
		execl(path, "hyper-derp", flag, "-c", file, (char *)NULL);
	}
	execlp("hyper-derp", "hyper-derp", flag, "-c", file, (char *)NULL);
	return hdctl_fail(HDCTL_NO_DAEMON, "hyper-derp is not found beside "
					   "hdctl nor in PATH");
}

/* A file is checked by the daemon's program, which need not run. */
int run_check_file(struct hdctl *h, const char *const *words, size_t n)
{
	pid_t pid;
	int status = 0;

	(void)h;
	if (n != 1)
		return hdctl_fail(HDCTL_USAGE, "config check takes one file");
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(exec_relay("-t", words[0]));
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return hdctl_fail(HDCTL_REFUSED, "cannot start hyper-derp");
	if (!WIFEXITED(status))
		return HDCTL_REFUSED;
	return WEXITSTATUS(status) == HDCTL_NO_DAEMON ? HDCTL_NO_DAEMON
	       : WEXITSTATUS(status) == 0	      ? HDCTL_OK
						      : HDCTL_REFUSED;
}

static bool is_goodbye(const json_t *event)
{
	return strcmp(text_of(event, "event"), "upgraded") == 0;
}

static int begin_watch(struct hdctl *h, const char *const *words, size_t n)
{
	struct hd_error err;
	json_t *data;
	int r = ask(&h->ask, words, n, &data, &err);

	json_decref(data);
	return r == HDCTL_OK ? r : hdctl_fail(r, "%s", err.text);
}

/* It goes on with the process that has taken over. */
static int watch_again(struct hdctl *h, const char *const *words, size_t n)
{
	struct hd_error err;
	int r = ask_again(&h->ask, &err);

	return r == HDCTL_OK ? begin_watch(h, words, n)
			     : hdctl_fail(r, "%s", err.text);
}

/* Until the daemon ends, or Ctrl-C: in the shell that ends this only. */
static int watch(struct hdctl *h, const char *const *words, size_t n)
{
	json_t *event;

	while ((event = ask_next(&h->ask)) != NULL) {
		bool again = is_goodbye(event);

		put_event(h, event);
		json_decref(event);
		if (fflush(stdout) != 0)
			break;
		int r = again ? watch_again(h, words, n) : HDCTL_OK;

		if (r != HDCTL_OK)
			return r;
	}
	ask_close(&h->ask); /* in the shell the next command connects anew */
	if (interrupt_came())
		putchar('\n'); /* behind the ^C */
	return event != NULL || interrupt_came()
		       ? HDCTL_OK
		       : hdctl_fail(HDCTL_NO_DAEMON,
				    "the relay closed the connection");
}

int run_watch(struct hdctl *h, const char *const *words, size_t n)
{
	const char *all[HDCTL_WORDS_MAX + 1] = { "watch" };
	int r = hdctl_connect(h);

	if (r != HDCTL_OK)
		return r;
	memcpy(all + 1, words, n * sizeof(*words));
	r = begin_watch(h, all, n + 1);
	return r == HDCTL_OK ? watch(h, all, n + 1) : r;
}
