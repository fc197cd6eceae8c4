/* SPDX-License-Identifier: MIT */
/* t/unit/module_def.c - tables of options that a module may not have. */
#include "core/module/module_def.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "t/unit/unit.h"

static void refuse_table(struct hd_option row, const char *want)
{
	const struct hd_option entry[] = { row, HD_OPTION_END };
	const struct hd_option table[] = { { .name = "list",
					     .type = HD_OPTION_ENTRIES,
					     .entry = entry,
					     .entry_size = 8 },
					   HD_OPTION_END };
	const struct hd_module_def def = { .magic = HD_MODULE_MAGIC,
					   .abi_major = HD_ABI_MAJOR,
					   .abi_minor = HD_ABI_MINOR,
					   .size = sizeof(def),
					   .name = "x",
					   .options = table,
					   .conf_size = 64 };
	struct hd_module_def copy;
	struct hd_error err = { "" };
	int r = hd_module_def_check(&def, "x", &copy, &err);

	assert_int_equal(r, want == NULL ? 0 : -ENOEXEC);
	if (want != NULL && strstr(err.text, want) == NULL)
		fail_msg("%s", err.text);
}

static void a_wrong_table_is_refused(void **state)
{
	(void)state;
	refuse_table((struct hd_option){ .name = "n", .type = HD_OPTION_UINT },
		     NULL);
	refuse_table((struct hd_option){ .name = "n", .type = 99 },
		     "option list.n has an unknown type");
	refuse_table((struct hd_option){ .name = "n",
					 .type = HD_OPTION_UINT,
					 .offset = 1 },
		     "option list.n lies outside the 8 bytes of entry_size");
	refuse_table(
		(struct hd_option){ .name = "n", .type = HD_OPTION_CHOICE },
		"option list.n has no choices");
	refuse_table(
		(struct hd_option){ .name = "m", .type = HD_OPTION_ENTRIES },
		"option list.m lies outside the 8 bytes of entry_size");
	refuse_table((struct hd_option){ .name = "n",
					 .type = HD_OPTION_UINT,
					 .reserved_u32 = 1 },
		     "option list.n sets reserved fields");
	refuse_table((struct hd_option){ .name = "n",
					 .type = HD_OPTION_UINT,
					 .reserved = { [3] = "" } },
		     "option list.n sets reserved fields");
}

static void a_table_may_be_four_deep(void **state)
{
	struct hd_option row = { .name = "l",
				 .type = HD_OPTION_ENTRIES,
				 .entry_size = 16 };
	const struct hd_option table[] = { row, HD_OPTION_END };
	struct hd_option self[] = { row, HD_OPTION_END };
	struct hd_module_def copy, def = { .magic = HD_MODULE_MAGIC,
					   .abi_major = HD_ABI_MAJOR,
					   .abi_minor = HD_ABI_MINOR,
					   .size = sizeof(def),
					   .name = "x",
					   .options = table,
					   .conf_size = 64 };
	struct hd_error err = { "" };

	(void)state;
	assert_int_equal(-ENOEXEC, hd_module_def_check(&def, "x", &copy, &err));
	assert_non_null(strstr(err.text, "option l has no table of entries"));
	self[0].entry = self;
	def.options = self;
	assert_int_equal(-ENOEXEC, hd_module_def_check(&def, "x", &copy, &err));
	assert_non_null(strstr(err.text, "option l.l.l.l.l is too deep"));
	self[0].entry = NULL;
	self[0].type = HD_OPTION_STRING;
	self[0].bare = true;
	assert_int_equal(-ENOEXEC, hd_module_def_check(&def, "x", &copy, &err));
	assert_non_null(strstr(err.text, "option l is in no list"));
	self[0].bare = false;
	self[0].type = HD_OPTION_PLACE;
	assert_int_equal(-ENOEXEC, hd_module_def_check(&def, "x", &copy, &err));
	assert_non_null(strstr(err.text, "option l is a place of no key"));
}

static void refuse_reasons(const struct hd_close_reason *rows, const char *want)
{
	const struct hd_module_def def = { .magic = HD_MODULE_MAGIC,
					   .abi_major = HD_ABI_MAJOR,
					   .abi_minor = HD_ABI_MINOR,
					   .size = sizeof(def),
					   .name = "x",
					   .reasons = rows };
	struct hd_module_def copy;
	struct hd_error err = { "" };
	int r = hd_module_def_check(&def, "x", &copy, &err);

	assert_int_equal(r, want == NULL ? 0 : -ENOEXEC);
	if (want != NULL && strstr(err.text, want) == NULL)
		fail_msg("%s", err.text);
}

static void refuse_reason(const char *word, enum hd_close like,
			  unsigned ws_code, const char *ws_reason,
			  const char *want)
{
	const struct hd_close_reason rows[] = {
		{ .word = "flood", .like = HD_CLOSE_DENIED },
		{ word, like, (uint16_t)ws_code, ws_reason },
		HD_CLOSE_REASON_END,
	};

	refuse_reasons(rows, want);
}

static void wrong_close_reasons_are_refused(void **state)
{
	static const char *const words[] = {
		"kicked", "unknown",  "Bad",
		"",	  "bad name", "a_word_of_thirty_two_bytes_in_al",
	};
	char longest[125] = "";

	(void)state;
	memset(longest, 'x', 123);
	refuse_reason("room_2", HD_CLOSE_KICKED, 4001, longest, NULL);
	longest[123] = 'x';
	refuse_reason("a", HD_CLOSE_DONE, 0, longest,
		      "close reason a: its ws_reason is not UTF-8");
	refuse_reason("a", HD_CLOSE_DONE, 0, "\xff", "is not UTF-8 of up to");
	refuse_reason("a", HD_CLOSE_DONE, 1005, NULL,
		      "its ws_code may not be sent");
	refuse_reason("a", HD_CLOSE_MODULE, 0, NULL, "its `like` is none of");
	refuse_reason("a", HD_CLOSE_N, 0, NULL, "its `like` is none of");
	refuse_reason("flood", HD_CLOSE_DONE, 0, NULL, "another one of that");
	for (size_t i = 0; i < HD_ARRAY_N(words); i++)
		refuse_reason(words[i], HD_CLOSE_DONE, 0, NULL,
			      "its word is not 1 to 31 of");
}

static void a_module_has_64_close_reasons(void **state)
{
	static char words[HD_CLOSE_REASONS_MAX + 1][8];
	struct hd_close_reason rows[HD_CLOSE_REASONS_MAX + 2] = { 0 };

	(void)state;
	for (unsigned i = 0; i < HD_CLOSE_REASONS_MAX; i++) {
		snprintf(words[i], sizeof(words[i]), "w%u", i);
		rows[i].word = words[i];
	}
	refuse_reasons(rows, NULL);
	rows[HD_CLOSE_REASONS_MAX].word = "more";
	refuse_reasons(rows, "close reason more: there are more than 64");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrong_table_is_refused),
		cmocka_unit_test(a_table_may_be_four_deep),
		cmocka_unit_test(wrong_close_reasons_are_refused),
		cmocka_unit_test(a_module_has_64_close_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
