/* SPDX-License-Identifier: MIT */
/* t/unit/module_def.c - tables of options that a module may not have. */
#include "core/module/module_def.h"
#include <errno.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrong_table_is_refused),
		cmocka_unit_test(a_table_may_be_four_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
