/* SPDX-License-Identifier: MIT */
/* t/unit/version.c - a build says what it is. */
#include "core/base/version.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void version_is_configured(void **state)
{
	(void)state;
	assert_string_equal(hd_version, PACKAGE_VERSION);
}

static void commit_is_a_word(void **state)
{
	(void)state;
	assert_true(strlen(hd_commit) > 0);
	assert_null(strpbrk(hd_commit, " \n\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_is_configured),
		cmocka_unit_test(commit_is_a_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
