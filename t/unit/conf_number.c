/* SPDX-License-Identifier: MIT */
/* t/unit/conf_number.c - numbers, addresses, keys and near names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/conf/conf_node.h"
#include "core/conf/conf_number.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static void numbers_have_units(void **state)
{
	static const struct {
		enum hd_option_type type;
		const char *text;
		uint64_t want;
	} cases[] = {
		{ HD_OPTION_UINT, "0", 0 },
		{ HD_OPTION_UINT, "18446744073709551615", UINT64_MAX },
		{ HD_OPTION_DURATION_MS, "500ms", 500 },
		{ HD_OPTION_DURATION_MS, "10s", 10000 },
		{ HD_OPTION_DURATION_MS, "10", 10000 },
		{ HD_OPTION_DURATION_MS, "5m", 300000 },
		{ HD_OPTION_DURATION_MS, "2h", 7200000 },
		{ HD_OPTION_SIZE_BYTES, "4096", 4096 },
		{ HD_OPTION_SIZE_BYTES, "256KiB", 262144 },
		{ HD_OPTION_SIZE_BYTES, "1MiB", 1048576 },
		{ HD_OPTION_SIZE_BYTES, "2GiB", 2147483648 },
		{ HD_OPTION_SIZE_BYTES, "3TiB", 3298534883328 },
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		uint64_t v = 0;

		assert_int_equal(
			0, hd_number_parse(cases[i].type, cases[i].text, &v));
		assert_int_equal(v, cases[i].want);
	}
}

static void other_numbers_are_refused(void **state)
{
	static const struct {
		enum hd_option_type type;
		const char *text;
		int want;
	} cases[] = {
		{ HD_OPTION_UINT, "", -EINVAL },
		{ HD_OPTION_UINT, "-1", -EINVAL },
		{ HD_OPTION_UINT, "+1", -EINVAL },
		{ HD_OPTION_UINT, " 1", -EINVAL },
		{ HD_OPTION_UINT, "1 ", -EINVAL },
		{ HD_OPTION_UINT, "0x10", -EINVAL },
		{ HD_OPTION_UINT, "1.5", -EINVAL },
		{ HD_OPTION_UINT, "1KiB", -EINVAL },
		{ HD_OPTION_UINT, "18446744073709551616", -ERANGE },
		{ HD_OPTION_DURATION_MS, "1d", -EINVAL },
		{ HD_OPTION_DURATION_MS, "1.5s", -EINVAL },
		{ HD_OPTION_DURATION_MS, "18446744073709551615h", -ERANGE },
		{ HD_OPTION_SIZE_BYTES, "1kB", -EINVAL },
		{ HD_OPTION_SIZE_BYTES, "17179869184GiB", -ERANGE },
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		uint64_t v;

		assert_int_equal(
			cases[i].want,
			hd_number_parse(cases[i].type, cases[i].text, &v));
	}
}

static void numbers_print_as_short_as_they_parse(void **state)
{
	static const struct {
		enum hd_option_type type;
		uint64_t v;
		const char *want;
	} cases[] = {
		{ HD_OPTION_UINT, 0, "0" },
		{ HD_OPTION_UINT, 3600000, "3600000" },
		{ HD_OPTION_DURATION_MS, 0, "0" },
		{ HD_OPTION_DURATION_MS, 1, "1ms" },
		{ HD_OPTION_DURATION_MS, 1500, "1500ms" },
		{ HD_OPTION_DURATION_MS, 90000, "90s" },
		{ HD_OPTION_DURATION_MS, 7200000, "2h" },
		{ HD_OPTION_SIZE_BYTES, 0, "0" },
		{ HD_OPTION_SIZE_BYTES, 1000, "1000" },
		{ HD_OPTION_SIZE_BYTES, 262144, "256KiB" },
	};
	char buf[HD_NUMBER_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++)
		assert_string_equal(
			hd_number_text(cases[i].type, cases[i].v, buf),
			cases[i].want);
}

static void addresses_are_read(void **state)
{
	union hd_addr addr;
	char buf[HD_ADDR_TEXT_BYTES];

	(void)state;
	assert_int_equal(0, hd_addr_parse("0.0.0.0:80", &addr));
	assert_int_equal(addr.sa.sa_family, AF_INET);
	assert_int_equal(ntohs(addr.in.sin_port), 80);
	assert_int_equal(addr.in.sin_addr.s_addr, 0);
	assert_int_equal(0, hd_addr_parse("[2001:db8::1]:65535", &addr));
	assert_int_equal(addr.sa.sa_family, AF_INET6);
	assert_string_equal(hd_addr_text(&addr, buf), "[2001:db8::1]:65535");
}

static void other_addresses_are_refused(void **state)
{
	static const char *const texts[] = {
		"",
		":80",
		"80",
		"0.0.0.0",
		"0.0.0.0:",
		"0.0.0.0:-1",
		"[::]",
		"[::]:65536",
		"::1:80",
		"[::1:80",
		"::1]:80",
		"localhost:80",
		"[::1] :80",
		"1.2.3:4",
		"[]:1",
		"[1.2.3.4]:80",
		"[fe80::1%eth0]:1",
		"[00000000000000000000000000000000000000000000000000000000]:80",
	};
	union hd_addr addr;

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(texts); i++)
		assert_int_equal(-EINVAL, hd_addr_parse(texts[i], &addr));
}

static void keys_are_64_digits(void **state)
{
	static const char text[] = "000102030405060708090a0b0c0d0e0f"
				   "F0f1F2f3F4f5F6f7F8f9FafBFcFdFeFf";
	char wrong[65];
	struct hd_key key;

	(void)state;
	assert_int_equal(0, hd_key_parse(text, &key));
	assert_int_equal(key.b[10], 0x0a);
	assert_int_equal(key.b[16], 0xf0);
	assert_int_equal(key.b[31], 0xff);
	assert_int_equal(-EINVAL, hd_key_parse(text + 1, &key));
	memcpy(wrong, text, sizeof(wrong));
	wrong[63] = 'g';
	assert_int_equal(-EINVAL, hd_key_parse(wrong, &key));
}

static void near_names(void **state)
{
	static const char *const names[] = { "workers", "port", "listen",
					     "write_timeout" };
	char longest[200];

	(void)state;
	memset(longest, 'w', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_string_equal(hd_near("wrokers", names, 4), "workers");
	assert_string_equal(hd_near("writetimeout", names, 4), "write_timeout");
	assert_string_equal(hd_near("prot", names, 4), "port");
	assert_null(hd_near("x", names, 4));
	assert_null(hd_near("", names, 4));
	assert_null(hd_near("something", names, 4));
	assert_null(hd_near(longest, names, 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_have_units),
		cmocka_unit_test(other_numbers_are_refused),
		cmocka_unit_test(numbers_print_as_short_as_they_parse),
		cmocka_unit_test(addresses_are_read),
		cmocka_unit_test(other_addresses_are_refused),
		cmocka_unit_test(keys_are_64_digits),
		cmocka_unit_test(near_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
