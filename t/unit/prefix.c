/* SPDX-License-Identifier: MIT */
/* t/unit/prefix.c - prefixes of addresses. */
#include "core/base/prefix.h"
#include "t/unit/unit.h"
#include <arpa/inet.h>
#include <errno.h>

static int parse(const char *text)
{
	struct hd_prefix p;

	return hd_prefix_parse(text, &p);
}

static bool has(const char *text, const char *ip)
{
	struct hd_prefix p;
	const struct hd_prefixes list = { &p, 1 };
	union hd_addr addr = { .in = { .sin_family = AF_INET } };

	assert_int_equal(hd_prefix_parse(text, &p), 0);
	if (inet_pton(AF_INET, ip, &addr.in.sin_addr) == 1)
		return hd_prefixes_have(&list, &addr);
	addr.in6.sin6_family = AF_INET6;
	assert_int_equal(inet_pton(AF_INET6, ip, &addr.in6.sin6_addr), 1);
	return hd_prefixes_have(&list, &addr);
}

static void texts_are_checked(void **state)
{
	static const char *const wrong[] = {
		"",
		"/",
		"10.0.0.0/",
		"10.0.0/8",
		"10.0.0.0/33",
		"::/129",
		"10.0.0.0/-1",
		"10.0.0.0/ 8",
		"10.0.0.0/8x",
		"yes",
		"::1/0128",
		"relay.example.net",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb/1",
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(wrong); i++)
		assert_int_equal(parse(wrong[i]), -EINVAL);
	assert_int_equal(parse("10.0.0.1/8"), -EDOM);
	assert_int_equal(parse("10.0.0.0/4"), -EDOM);
	assert_int_equal(parse("2001:db8::/28"), -EDOM);
	assert_int_equal(parse("2001:db8::/29"), 0);
	assert_int_equal(parse("192.0.2.128/25"), 0);
	assert_int_equal(parse("::/0"), 0);
}

static void they_have_addresses(void **state)
{
	(void)state;
	assert_true(has("192.0.2.7", "192.0.2.7"));
	assert_false(has("192.0.2.7", "192.0.2.6"));
	assert_true(has("10.0.0.0/8", "10.255.1.2"));
	assert_false(has("10.0.0.0/8", "11.0.0.0"));
	assert_true(has("192.0.2.128/25", "192.0.2.200"));
	assert_false(has("192.0.2.128/25", "192.0.2.127"));
	assert_true(has("2001:db8::/29", "2001:dbf::1"));
	assert_false(has("2001:db8::/29", "2001:dc0::"));
	assert_true(has("::1", "::1"));
	assert_false(has("::1", "127.0.0.1"));
	/* a listener on [::] sees IPv4 so */
	assert_true(has("10.0.0.0/8", "::ffff:10.0.0.1"));
	assert_true(has("::ffff:10.0.0.0/104", "10.0.0.1"));
	assert_false(has("0.0.0.0/0", "2001:db8::1"));
	assert_true(has("::/0", "2001:db8::1"));
	assert_false(has("::/0", "192.0.2.1"));
	assert_false(has("::/0", "::ffff:192.0.2.1"));
	assert_false(has("::/64", "::ffff:192.0.2.1"));
	assert_true(has("::/64", "::2"));
	assert_true(has("::ffff:0:0/96", "192.0.2.1"));
	assert_false(has("::ffff:0:0/96", "::1"));
	assert_true(has("0.0.0.0/0", "::ffff:192.0.2.1"));
}

static void everybody_is_noticed(void **state)
{
	struct hd_prefix p;

	(void)state;
	assert_int_equal(hd_prefix_parse("0.0.0.0/0", &p), 0);
	assert_true(hd_prefix_is_all(&p));
	assert_int_equal(hd_prefix_parse("::/0", &p), 0);
	assert_true(hd_prefix_is_all(&p));
	assert_int_equal(hd_prefix_parse("0.0.0.0/1", &p), 0);
	assert_false(hd_prefix_is_all(&p));
	assert_int_equal(hd_prefix_parse("2001:db8::/96", &p), 0);
	assert_false(hd_prefix_is_all(&p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_checked),
		cmocka_unit_test(they_have_addresses),
		cmocka_unit_test(everybody_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
