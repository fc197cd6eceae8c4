/* SPDX-License-Identifier: MIT */
/* t/unit/control_args.c - commands in the table, and their arguments. */
#include "core/control/control_table.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void nothing(struct hd_module *mod, struct hd_call *call)
{
	(void)mod, (void)call;
}

static const struct hd_command commands[] = {
	{ .words = "peer", .help = "-", .run = nothing },
	{ .words = "peer close",
	  .args = "KEY [--why TEXT] [--all]",
	  .help = "-",
	  .run = nothing },
	{ .words = "watch", .args = "[EVENT...]", .help = "-", .run = nothing },
	{ .words = "drain",
	  .args = "[--for DURATION] [--exit]",
	  .help = "-",
	  .run = nothing },
	{ .words = "log level", .args = "LEVEL", .help = "-", .run = nothing },
};

static int add_all(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(commands); i++)
		if (hd_command_add(NULL, &commands[i], NULL) < 0)
			return -1;
	return 0;
}

static int drop_all(void **state)
{
	(void)state;
	hd_commands_drop(NULL);
	return 0;
}

/* The values that a line's words give, "-" where there is none. */
static int fill(const char *line, char values[HD_ARGS_MAX][32],
		struct hd_error *err)
{
	char copy[200];
	const char *words[20];
	struct hd_arg_values v = { { NULL } };
	size_t n = 0, used;

	strcpy(copy, line);
	for (char *w = strtok(copy, " "); w != NULL; w = strtok(NULL, " "))
		words[n++] = w;
	const struct hd_command_entry *e =
		hd_command_find(words, n, &used, err);

	if (e == NULL)
		return -ENOENT;
	int r = hd_args_fill(e, words + used, n - used, &v, err);

	r = r == 0 ? hd_args_check(e, &v, err) : r;
	for (unsigned i = 0; i < e->n_args; i++)
		snprintf(values[i], 32, "%s", v.v[i] != NULL ? v.v[i] : "-");
	hd_args_free(&v);
	return r;
}

static void good_lines(void **state)
{
	static const struct {
		const char *line, *want[3];
	} rows[] = {
		{ "peer close abcd", { "abcd", "-", "-" } },
		{ "peer close --all abcd --why x", { "abcd", "x", "true" } },
		{ "peer close abcd --why=", { NULL } },
		{ "peer close --why=x=y abcd", { "abcd", "x=y", "-" } },
		{ "drain --for 30s", { "30s", "-" } },
		{ "drain --exit --for=2h", { "2h", "true" } },
		{ "drain", { "-", "-" } },
		{ "watch", { "-" } },
		{ "watch peer drops --x", { "peer drops --x" } },
		{ "log level debug", { "debug" } },
	};

	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(rows); i++) {
		char got[HD_ARGS_MAX][32];
		struct hd_error err = { "" };
		int r = fill(rows[i].line, got, &err);

		if (rows[i].want[0] == NULL) {
			assert_int_equal(r, -EINVAL);
			continue;
		}
		assert_int_equal(r, 0);
		for (unsigned k = 0; k < 3 && rows[i].want[k] != NULL; k++)
			assert_string_equal(got[k], rows[i].want[k]);
	}
}

static void bad_lines(void **state)
{
	static const struct {
		const char *line, *says;
	} rows[] = {
		{ "peer close", "missing: KEY; usage: peer close KEY" },
		{ "peer close xyz1", "hexadecimal" },
		{ "peer close abc", "4 to 64" },
		{ "peer close abcd efgh", "too many words: efgh" },
		{ "peer close abcd --no", "no option --no" },
		{ "peer close abcd --why", "a value is missing" },
		{ "peer close abcd --all=1", "no value may follow" },
		{ "peer close abcd --all --all", "given twice" },
		{ "drain --for soon", "500ms, 30s" },
		{ "drain now", "too many words" },
		{ "log level loud", "error, warn" },
		{ "log", "expected next: level" },
		{ "pear close", "is \"peer close\" meant?" },
		{ "drian --for 3s", "is \"drain\" meant?" },
	};

	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(rows); i++) {
		char got[HD_ARGS_MAX][32];
		struct hd_error err = { "" };

		assert_true(fill(rows[i].line, got, &err) < 0);
		if (strstr(err.text, rows[i].says) == NULL)
			fail_msg("%s: %s", rows[i].line, err.text);
	}
}

static void arguments_by_name(void **state)
{
	const char *words[] = { "drain" };
	struct hd_arg_values v = { { NULL } };
	struct hd_error err;
	size_t used;
	const struct hd_command_entry *e =
		hd_command_find(words, 1, &used, &err);

	(void)state;
	assert_int_equal(hd_args_set(e, "for", "1s", &v, &err), 0);
	assert_int_equal(hd_args_set(e, "exit", "false", &v, &err), 0);
	assert_null(v.v[1]);
	assert_int_equal(hd_args_set(e, "exit", "maybe", &v, &err), -EINVAL);
	assert_int_equal(hd_args_set(e, "for", "2s", &v, &err), -EINVAL);
	assert_int_equal(hd_args_set(e, "what", "2s", &v, &err), -EINVAL);
	hd_args_free(&v);
}

static void table_is_checked(void **state)
{
	static const struct hd_command bad[] = {
		{ .words = "Peer", .help = "-", .run = nothing },
		{ .words = "peer  x", .help = "-", .run = nothing },
		{ .words = "peer ", .help = "-", .run = nothing },
		{ .words = "", .help = "-", .run = nothing },
		{ .words = "x", .help = "-" },
		{ .words = "x", .run = nothing },
		{ .words = "x", .args = "[KEY", .help = "-", .run = nothing },
		{ .words = "x",
		  .args = "--needed X",
		  .help = "-",
		  .run = nothing },
		{ .words = "x",
		  .args = "A B C D E F G H I J K L M",
		  .help = "-",
		  .run = nothing },
	};
	struct hd_error err;

	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(bad); i++)
		assert_int_equal(hd_command_add(NULL, &bad[i], &err), -EINVAL);
	assert_int_equal(hd_command_add(NULL, &commands[0], &err), -EEXIST);
}

static void sorted_and_longest(void **state)
{
	const char *words[] = { "peer", "close", "abcd" };
	struct hd_error err;
	size_t used = 0;

	(void)state;
	for (unsigned i = 1; i < hd_commands_n(); i++)
		assert_true(strcmp(hd_commands_at(i - 1)->command->words,
				   hd_commands_at(i)->command->words) < 0);
	assert_non_null(hd_command_find(words, 3, &used, &err));
	assert_int_equal(used, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_lines),
		cmocka_unit_test(bad_lines),
		cmocka_unit_test(arguments_by_name),
		cmocka_unit_test(table_is_checked),
		cmocka_unit_test(sorted_and_longest),
	};

	return cmocka_run_group_tests(tests, add_all, drop_all);
}
