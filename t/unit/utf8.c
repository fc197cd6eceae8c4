/* SPDX-License-Identifier: MIT */
/* t/unit/utf8.c - what is UTF-8: RFC 3629, sections 3, 4 and 7 (its examples),
 * and each boundary of its table. */
#include "core/base/utf8.h"
#include "t/unit/unit.h"
#include <string.h>

static void valid(void **state)
{
	static const char *const texts[] = {
		"",
		"plain, and more than eight of it",
		"A\xe2\x89\xa2\xce\x91.", /* section 7 */
		"\xed\x95\x9c\xea\xb5\xad\xec\x96\xb4",
		"\xef\xbb\xbf\xf0\xa3\x8e\xb4",
		"\xc2\x80", "\xdf\xbf", /* the ends of each row of section 4 */
		"\xe0\xa0\x80", "\xe0\xbf\xbf", "\xec\xbf\xbf", "\xed\x80\x80",
		"\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf",
		"\xf0\x90\x80\x80", "\xf1\x80\x80\x80", "\xf3\xbf\xbf\xbf",
		"\xf4\x8f\xbf\xbf", "1234567\xc2\x80", "12345678\xc2\x80",
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(texts); i++)
		if (!hd_utf8_valid(texts[i], strlen(texts[i])))
			fail_msg("text %zu is refused", i);
	assert_true(hd_utf8_valid("a\0b", 3));
}

static void cleaned(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "" },
		{ "alice's \"laptop\"", "alice's 'laptop'" },
		{ "a\x1b[31m\nb\x7f", "a?[31m?b?" },
		{ "\xff\xc3\xa9\xc3", "?\xc3\xa9?" },
		{ "a\xc2\x85\xe2\x80\xae\xe2\x80\xa8\xe2\x81\xa9z", "a????z" },
		{ "0123456789abcdefghij", "0123456789abcdefghi" },
		{ "0123456789abcdefgh\xc3\xa9", "0123456789abcdefgh" },
	};
	char got[20];

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		hd_utf8_clean(cases[i].text, got, sizeof(got));
		assert_string_equal(got, cases[i].want);
	}
}

static void invalid(void **state)
{
	static const struct {
		const char *text;
		size_t prefix;
	} cases[] = {
		{ "\x80", 0 },		   { "\xbf", 0 },
		{ "\xc0\x80", 0 },	   { "\xc1\xbf", 0 },
		{ "\xc2", 0 },		   { "\xc2\xc0", 0 },
		{ "\xe0\x9f\xbf", 0 },	   { "\xe2\x89", 0 },
		{ "\xed\xa0\x80", 0 }, /* a surrogate */
		{ "\xf0\x8f\xbf\xbf", 0 }, { "\xf0\x90\x80", 0 },
		{ "\xf4\x90\x80\x80", 0 }, { "\xf5\x80\x80\x80", 0 },
		{ "\xff", 0 },		   { "abc\xe2\x82\xac\xe2\x82", 6 },
		{ "12345678\x80", 8 },	   { "1234\x80""5678", 4 },
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++)
		if (hd_utf8_prefix(cases[i].text, strlen(cases[i].text)) !=
		    cases[i].prefix)
			fail_msg("case %zu", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid),
		cmocka_unit_test(invalid),
		cmocka_unit_test(cleaned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
