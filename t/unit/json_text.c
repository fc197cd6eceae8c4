/* SPDX-License-Identifier: MIT */
/* t/unit/json_text.c - what the writer writes; expected bytes by RFC 8259. */
#include "core/base/json_text.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <math.h>
#include <string.h>

static void assert_json(struct hd_json *j, const char *want)
{
	assert_int_equal(j->error, 0);
	assert_int_equal(j->len, strlen(want));
	assert_memory_equal(j->text, want, j->len);
	hd_json_free(j);
}

static void values_in_order(void **state)
{
	struct hd_json j = { 0 };

	(void)state;
	hd_json_open(&j, NULL, '{');
	hd_json_uint(&j, "n", UINT64_MAX);
	hd_json_open(&j, "list", '[');
	hd_json_bool(&j, NULL, true);
	hd_json_string(&j, NULL, NULL);
	hd_json_double(&j, NULL, 1.5);
	hd_json_double(&j, NULL, INFINITY);
	hd_json_close(&j);
	hd_json_open(&j, "none", '{');
	hd_json_close(&j);
	hd_json_raw(&j, "raw", "[1]", 3);
	hd_json_close(&j);
	assert_json(&j, "{\"n\":18446744073709551615,\"list\":[true,null,1.500,"
			"null],\"none\":{},\"raw\":[1]}");
}

static void text_is_escaped(void **state)
{
	struct hd_json j = { 0 };

	(void)state;
	hd_json_string(&j, NULL, "a\"b\\c\n\x01\x7f\xc3\xa9");
	assert_json(&j, "\"a\\\"b\\\\c\\n\\u0001\\u007f\xc3\xa9\"");
}

/* Overlong, a surrogate, cut short, beyond U+10FFFF: RFC 3629, 3 and 4. */
static void bad_utf8_is_replaced(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "\xc0\xaf", "\"\\ufffd\\ufffd\"" },
		{ "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"" },
		{ "\xe2\x82", "\"\\ufffd\\ufffd\"" },
		{ "\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
		{ "\xf0\x9f\x92\xac", "\"\xf0\x9f\x92\xac\"" },
		{ "\xef\xbf\xbd", "\"\xef\xbf\xbd\"" },
	};

	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(rows); i++) {
		struct hd_json j = { 0 };

		hd_json_string(&j, NULL, rows[i].in);
		assert_json(&j, rows[i].want);
	}
}

static void key_as_digits(void **state)
{
	struct hd_json j = { 0 };
	struct hd_key key = { .b = { 0x01, 0xab, [31] = 0xff } };

	(void)state;
	hd_json_key(&j, NULL, &key);
	assert_json(&j, "\"01ab0000000000000000000000000000"
			"000000000000000000000000000000ff\"");
}

static void stops_at_the_limit(void **state)
{
	struct hd_json j = { .limit = 1000 };

	(void)state;
	hd_json_open(&j, NULL, '[');
	for (unsigned i = 0; i < 1000; i++)
		hd_json_string(&j, NULL, "0123456789");
	assert_int_equal(j.error, -EFBIG);
	assert_true(j.len <= 1000);
	hd_json_free(&j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_in_order),
		cmocka_unit_test(text_is_escaped),
		cmocka_unit_test(bad_utf8_is_replaced),
		cmocka_unit_test(key_as_digits),
		cmocka_unit_test(stops_at_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
