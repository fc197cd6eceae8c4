/* SPDX-License-Identifier: MIT */
/* tools/hdctl/configure/configure.h - the configuration as a transaction: a
 * candidate beside the files, changed step by step, checked, and committed at
 * once. All that is remembered lies in the folder configure/ beside the
 * relay's file, with that file's owner and mode, or stricter ones where another
 * file of it has them:
 *   candidate.json   files as they were (base) and shall be (text), and how
 *   commit.json      a commit under way: whoever comes next completes it
 *   history/N.json   commits
 *   lock             flock() of whoever writes */
#pragma once
#include <limits.h>

#include "tools/hdctl/edit/edit.h"
#include "tools/hdctl/hdctl.h"

struct configure {
	struct hdctl *h;
	char config[PATH_MAX]; /* the relay's first file, without links */
	char folder[PATH_MAX + 16];
	char who[128]; /* "alice on pts/3" */
	bool relay; /* one runs with this file */
	int lock; /* -1: not held */
	json_t *cand; /* {"files", "ops"} */
	json_t *history; /* newest first */
};

enum { CONFIGURE_COMMITS_MAX = 50 };

/* Each returns HDCTL_OK, or an exit status, told. */

/* ---- configure_find.c ---- */
int configure_find(struct configure *c, const char *file);
/* configure_files - paths that are read, the first file first, without links;
 * those outside of its folder are not ours to change. Released by the caller.
 */
json_t *configure_files(const struct configure *c);
/* configure_text - of a file as the candidate has it; free(). NULL: told. */
char *configure_text(const struct configure *c, const char *path);
bool configure_is_ours(const struct configure *c, const char *path);

/* ---- configure_state.c ---- */
int configure_lock(struct configure *c); /* to write; completes a commit */
void configure_unlock(struct configure *c);
int configure_load(struct configure *c);
int configure_save(const struct configure *c);
/* configure_keep - a file in the folder that has the texts of these files. */
int configure_keep(const struct configure *c, const char *path,
		   const char *text, const json_t *files);
bool configure_is_empty(const struct configure *c);
/* configure_put - a file of the candidate becomes text; its base is kept, or
 * is what the file is now. */
int configure_put(struct configure *c, const char *path, const char *text);
/* configure_note - who did what, in the candidate. */
void configure_note(struct configure *c, const char *op, const char *path,
		    const char *value);
/* configure_by_hand - a file whose text is not the candidate's base any more;
 * NULL: there is none. */
const char *configure_by_hand(const struct configure *c);
int configure_drop(struct configure *c);
void configure_end(struct configure *c);
/* configure_path - in the folder. */
void configure_path(const struct configure *c, const char *name,
		    char path[PATH_MAX + 64]);

/* ---- configure_record.c: commits ---- */
/* configure_write - all files, or none. */
int configure_write(struct configure *c, const char *comment);
int configure_write_back(struct configure *c);
int configure_recorded(struct configure *c); /* the commit is complete */
int configure_recover(struct configure *c);
int configure_history(struct configure *c);

/* ---- configure_check.c ---- */
struct configure_verdict {
	bool good, knows_restart;
	char why[2048];
	json_t *restart, *modules; /* lists of names */
};
/* configure_check - what the relay, or hyper-derp -t, says of the candidate. */
int configure_check(struct configure *c, struct configure_verdict *ret);
void configure_verdict_free(struct configure_verdict *v);
char *configure_for_relay(const struct configure *c, const char *comment);

/* ---- the commands ---- */
typedef int configure_fn(struct configure *c, const char *const *words,
			 size_t n);
configure_fn configure_set, configure_add, configure_delete, configure_update;
configure_fn configure_show, configure_diff, configure_log;
configure_fn configure_try, configure_commit, configure_rollback,
	configure_discard;

struct configure_command {
	const char *word, *args, *help;
	configure_fn *run;
	bool writes;
};
extern const struct configure_command configure_commands[]; /* word NULL ends */

int run_configure(struct hdctl *h, const char *const *words, size_t n);
/* configure_complete - as complete_each(), behind the word configure. */
typedef void configure_offer_fn(void *arg, const char *word, const char *help);
void configure_complete(struct hdctl *h, const char *const *words, size_t n,
			configure_offer_fn *offer, void *arg);
