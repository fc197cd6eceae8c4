/* SPDX-License-Identifier: MIT */
/* tools/hdctl/hdctl.h - one command for a relay, from the command line or in
 * the shell. What commands there are, the daemon says; only those in local.c
 * are our own. */
#pragma once
#include "tools/hdctl/ask.h"
#include "tools/hdctl/print.h"

enum { HDCTL_WORDS_MAX = 64 };

struct hdctl {
	const char *socket; /* NULL: the usual places */
	bool json, csv;
	const char *sort; /* NULL: as they come */
	struct ask ask;
	json_t *commands; /* the daemon's table; NULL: not asked yet */
	bool shell;
	bool in_shell; /* it began without configure */
	bool configuring; /* the shell's words are those behind configure */
	char *configure_file; /* NULL: the relay's, or the usual one */
	size_t configure_seen; /* changes of the candidate that were told */
};

/* hdctl_run - one command, ours or the daemon's. Prints; returns an exit
 * status. */
int hdctl_run(struct hdctl *h, const char *const *words, size_t n);
/* hdctl_fail - tell the reason. Returns status. */
int hdctl_fail(int status, const char *fmt, ...) HD_PRINTF(2, 3);
/* hdctl_connect - unless it is. hdctl_commands - the table, asked for once.
 * Return HDCTL_OK, or another HDCTL_, told. */
int hdctl_connect(struct hdctl *h);
int hdctl_commands(struct hdctl *h);
/* hdctl_find - the entry of the table that most words name, or NULL. */
const json_t *hdctl_find(const struct hdctl *h, const char *const *words,
			 size_t n);
/* hdctl_unknown - words that name no command: says which is probably meant.
 * Returns HDCTL_USAGE. */
int hdctl_unknown(const struct hdctl *h, const char *const *words, size_t n);
/* hdctl_needs - for a command of ours that asks those of a module. Returns
 * HDCTL_OK; HDCTL_USAGE it is not loaded, told; as hdctl_commands(). */
int hdctl_needs(struct hdctl *h, const char *module);
/* hdctl_host_name - whether the value of --host is a name or an address.
 * Returns HDCTL_OK; HDCTL_USAGE neither, told. */
int hdctl_host_name(const char *text);
/* hdctl_ask - the daemon's command; tells what goes wrong. */
int hdctl_ask(struct hdctl *h, const char *words, json_t **ret_data);

/* ---- local commands ---- */

struct local {
	const char *words, *args, *help; /* help NULL: not for people */
	/* @words  those behind the command's */
	int (*run)(struct hdctl *h, const char *const *words, size_t n);
	size_t min; /* with fewer words the daemon's command is meant */
	bool alone; /* of use where no relay runs */
};
extern const struct local locals[]; /* words NULL at the end */
const struct local *local_find(const char *const *words, size_t n,
			       size_t *ret_used);

int run_help(struct hdctl *h, const char *const *words, size_t n);
/* usage_asked - where --help or -h stands; n: nowhere.
 * run_usage - arguments and meaning of the command that the words begin with.
 */
size_t usage_asked(const char *const *words, size_t n);
int run_usage(struct hdctl *h, const char *const *words, size_t n);
/* usage_fail_option - a word of a local command that is no option of it, or
 * one without its value: tells which. Returns status. */
int usage_fail_option(int status, const char *command, const char *word);
int run_watch(struct hdctl *h, const char *const *words, size_t n);
int run_audit(struct hdctl *h, const char *const *words, size_t n);
int run_top(struct hdctl *h, const char *const *words, size_t n);
int run_derpmap(struct hdctl *h, const char *const *words, size_t n);
int run_complete(struct hdctl *h, const char *const *words, size_t n);
int run_completion(struct hdctl *h, const char *const *words, size_t n);
int run_module_enable(struct hdctl *h, const char *const *words, size_t n);
int run_module_disable(struct hdctl *h, const char *const *words, size_t n);
int run_module_new(struct hdctl *h, const char *const *words, size_t n);
int run_client_config(struct hdctl *h, const char *const *words, size_t n);
int run_check_file(struct hdctl *h, const char *const *words, size_t n);
/* exec_relay - become the relay's program, which stands beside hdctl or in
 * PATH, with the arguments FLAG -c FILE. Returns only when there is none:
 * HDCTL_NO_DAEMON, told. */
int exec_relay(const char *flag, const char *file);
/* run_shell - until its end. */
int run_shell(struct hdctl *h);
