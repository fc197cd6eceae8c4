/* SPDX-License-Identifier: MIT */
/* core/control/control_table.h - the commands there are, and words made into
 * calls of them. Main thread. */
#pragma once
#include <hyper-derp/control.h>

enum {
	HD_ARGS_MAX = 12,
	HD_ARG_NAME_BYTES = 24,
	HD_ARG_MAX_BYTES = 4096, /* of one value */
	HD_ARG_FILE_MAX_BYTES = 32 * 1024 * 1024, /* of one of the kind FILE */
};

struct hd_arg { /* one argument of a command */
	char name[HD_ARG_NAME_BYTES]; /* "key", "for" */
	char kind[HD_ARG_NAME_BYTES]; /* "KEY", "DURATION"; "" a flag */
	bool option; /* --name */
	bool optional;
	bool rest; /* takes all words that are left */
};

/* hd_arg_is_file - its value is the text of a file: long, with line feeds. */
bool hd_arg_is_file(const struct hd_arg *a);

struct hd_command_entry {
	struct hd_module *mod; /* NULL: the core's */
	const struct hd_command *command;
	unsigned n_words, n_args;
	struct hd_arg args[HD_ARGS_MAX];
};

/* hd_commands_drop - those of a module, before it goes; NULL: all. None of
 * its calls may be under way: hd_control_calls(). */
void hd_commands_drop(const struct hd_module *mod);
unsigned hd_commands_n(void);
const struct hd_command_entry *hd_commands_at(unsigned i); /* by words */

/* hd_command_find - the command that most of the words name.
 * @ret_used  how many words that are
 * Returns NULL with the nearest command in err. */
const struct hd_command_entry *hd_command_find(const char *const *words,
					       size_t n, size_t *ret_used,
					       struct hd_error *err);

/* hd_args_parse - "KEY [--for DURATION]" as it stands in a command.
 * Returns how many; -EINVAL. */
int hd_args_parse(const char *text, struct hd_arg args[static HD_ARGS_MAX],
		  struct hd_error *err);

struct hd_arg_values { /* text of each, NULL: left out */
	char *v[HD_ARGS_MAX];
};
/* hd_args_fill - the words behind a command's become its arguments.
 * hd_args_set - one argument by its name.
 * hd_args_check - all that are needed are there.
 * Return 0; -EINVAL with the usage in err; -ENOMEM. */
int hd_args_fill(const struct hd_command_entry *e, const char *const *words,
		 size_t n, struct hd_arg_values *values, struct hd_error *err);
int hd_args_set(const struct hd_command_entry *e, const char *name,
		const char *text, struct hd_arg_values *values,
		struct hd_error *err);
int hd_args_check(const struct hd_command_entry *e,
		  const struct hd_arg_values *values, struct hd_error *err);
void hd_args_free(struct hd_arg_values *values);

const char *hd_role_text(enum hd_role role);
