/* SPDX-License-Identifier: MIT */
/* t/unit/forwarded.c - whom the headers of proxies name. Trusted are 10.0.0.0/8
 * and 2001:db8:1::/48. Examples of Forwarded are RFC 7239's. */
#include "core/http/forwarded.h"
#include "t/unit/fake_stream.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <string.h>

static struct hd_prefix prefixes[2];
static const struct hd_prefixes trusted = { prefixes, 2 };
static struct hd_http_head head;

static int set_up(void **state)
{
	(void)state;
	assert_int_equal(hd_prefix_parse("10.0.0.0/8", &prefixes[0]), 0);
	assert_int_equal(hd_prefix_parse("2001:db8:1::/48", &prefixes[1]), 0);
	return 0;
}

/* Who is named by a head with these lines; "none"; "malformed". */
static const char *named(enum hd_trusted_header which, const char *name,
			 const char *first, const char *second)
{
	static char text[HD_ADDR_TEXT_BYTES];
	union hd_addr client;
	int r;

	head = (struct hd_http_head){
		.n = second != NULL ? 3 : 2,
		.headers = { { "Host", "10.9.9.9" },
			     { name, first },
			     { name, second } },
	};
	r = hd_forwarded_find(&head, which, &trusted, &client);
	if (r < 0)
		return "malformed";
	return r > 0 ? hd_addr_text(&client, text) : "none";
}

static void is_x(const char *value, const char *want)
{
	assert_string_equal(named(HD_TRUSTED_X_FORWARDED_FOR, "x-forwarded-for",
				  value, NULL),
			    want);
}

static void is_forwarded(const char *value, const char *want)
{
	assert_string_equal(
		named(HD_TRUSTED_FORWARDED, "FORWARDED", value, NULL), want);
}

static void addresses_are_read(void **state)
{
	(void)state;
	is_x("192.0.2.1", "192.0.2.1:0");
	is_x("192.0.2.1:4711", "192.0.2.1:4711");
	is_x("2001:db8::7", "[2001:db8::7]:0");
	is_x("[2001:db8::7]", "[2001:db8::7]:0");
	is_x("[2001:db8::7]:4711", "[2001:db8::7]:4711");
	is_x("::ffff:192.0.2.1", "192.0.2.1:0");
	is_x("192.0.2.1:_port", "192.0.2.1:0");
}

static void others_name_nobody(void **state)
{
	static const char *const wrong[] = {
		"",
		",",
		"unknown",
		"_hidden",
		"192.0.2",
		"192.0.2.01",
		"192.0.2.1:",
		"192.0.2.1:65536",
		"192.0.2.1:80x",
		"[192.0.2.1]",
		"[::1",
		"[::1]80",
		"::1]",
		"client.example",
		"\"192.0.2.1\"",
		"192.0.2.1 192.0.2.2",
		("1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:"
		 "dddd:eeee:ffff"),
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(wrong); i++)
		is_x(wrong[i], "none");
}

static void the_last_that_is_no_proxy_counts(void **state)
{
	(void)state;
	is_x("192.0.2.1, 198.51.100.1", "198.51.100.1:0");
	is_x("192.0.2.1, 198.51.100.1, 10.0.0.1", "198.51.100.1:0");
	is_x("192.0.2.1,198.51.100.1:7 ,10.0.0.1,2001:db8:1::1",
	     "198.51.100.1:7");
	is_x("10.0.0.2, 10.0.0.1", "10.0.0.2:0"); /* a client in there */
	is_x("192.0.2.1, ,", "192.0.2.1:0");
}

/* What a client sends stands before what proxies add. */
static void nobody_is_seen_behind_who_is_unknown(void **state)
{
	(void)state;
	is_x("rubbish, 192.0.2.1", "192.0.2.1:0");
	is_x("192.0.2.1, unknown", "none");
	is_x("192.0.2.1, unknown, 10.0.0.1", "10.0.0.1:0");
	is_x("192.0.2.1, unknown, 10.0.0.2, 10.0.0.1", "10.0.0.2:0");
}

static void lines_are_one_list(void **state)
{
	(void)state;
	assert_string_equal(named(HD_TRUSTED_X_FORWARDED_FOR, "X-Forwarded-For",
				  "192.0.2.1", "198.51.100.1"),
			    "198.51.100.1:0");
	assert_string_equal(named(HD_TRUSTED_X_FORWARDED_FOR, "X-Forwarded-For",
				  "192.0.2.1", "10.0.0.1"),
			    "192.0.2.1:0");
	assert_string_equal(named(HD_TRUSTED_FORWARDED, "Forwarded",
				  "for=192.0.2.1", "for=10.0.0.1"),
			    "192.0.2.1:0");
}

static void only_the_configured_header_is_read(void **state)
{
	(void)state;
	assert_string_equal(named(HD_TRUSTED_X_REAL_IP, "X-Forwarded-For",
				  "192.0.2.1", NULL),
			    "none");
	assert_string_equal(named(HD_TRUSTED_X_FORWARDED_FOR, "Forwarded",
				  "for=192.0.2.1", NULL),
			    "none");
	assert_string_equal(
		named(HD_TRUSTED_X_REAL_IP, "X-Real-IP", "192.0.2.1", NULL),
		"192.0.2.1:0");
	assert_string_equal(named(HD_TRUSTED_X_REAL_IP, "X-Real-IP",
				  "192.0.2.1, 192.0.2.2", NULL),
			    "none");
}

static void forwarded_is_read(void **state)
{
	(void)state;
	is_forwarded("for=\"_gazonk\"", "none");
	is_forwarded("For=\"[2001:db8:cafe::17]:4711\"",
		     "[2001:db8:cafe::17]:4711");
	is_forwarded("for=192.0.2.60;proto=http;by=203.0.113.43",
		     "192.0.2.60:0");
	is_forwarded("for=192.0.2.43, for=198.51.100.17", "198.51.100.17:0");
	is_forwarded("for=192.0.2.43,for=\"[2001:db8:1::17]\"", "192.0.2.43:0");
	is_forwarded("proto=https ; for=\"192.0.2.\\43:1\";ext=\"a,\\\";b\"",
		     "192.0.2.43:1");
	is_forwarded("for=192.0.2.43, proto=https", "none");
	is_forwarded("for=192.0.2.43, ,", "192.0.2.43:0");
	is_forwarded("for=192.0.2.43, for=unknown", "none");
	is_forwarded("host=\"for=192.0.2.1\"", "none");
	is_forwarded("", "none");
}

/* A quote that a client leaves open must not hide what a proxy adds. */
static void what_breaks_the_rules_is_refused(void **state)
{
	static const char *const wrong[] = {
		"for=\"192.0.2.1", "for=\"192.0.2.1, for=10.0.0.1",
		"for=\"a\\",	   "for",
		"=192.0.2.1",	   "for =192.0.2.1",
		"for=a b",	   "for=\"a\"b",
		"for=a;for=b",	   "\"for\"=a",
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(wrong); i++)
		is_forwarded(wrong[i], "malformed");
}

/* ---- of a connection ---- */

static struct fake_stream f;

static const char *applied(const char *value)
{
	static char text[HD_ADDR_TEXT_BYTES];
	static struct hd_request req;

	req.stream = &f.s;
	req.head = (struct hd_http_head){
		.n = value != NULL,
		.headers = { { "X-Forwarded-For", value } },
	};
	assert_int_equal(hd_forwarded_apply(&req), 0);
	return hd_addr_text(&f.s.addr, text);
}

static void proxies_are_believed_and_nobody_else(void **state)
{
	(void)state;
	fake_stream_init(&f); /* from 192.0.2.1:40000 */
	assert_string_equal(applied("198.51.100.1"), "192.0.2.1:40000");
	f.conf.trusted = trusted;
	assert_string_equal(applied("198.51.100.1"), "192.0.2.1:40000");
	f.named.in.sin_addr.s_addr = htonl(0x0a000001);
	assert_string_equal(applied("198.51.100.1"), "198.51.100.1:0");
	/* each request has its own client */
	assert_string_equal(applied("198.51.100.2"), "198.51.100.2:0");
	assert_string_equal(applied(NULL), "10.0.0.1:40000");
	fake_stream_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read),
		cmocka_unit_test(others_name_nobody),
		cmocka_unit_test(the_last_that_is_no_proxy_counts),
		cmocka_unit_test(nobody_is_seen_behind_who_is_unknown),
		cmocka_unit_test(lines_are_one_list),
		cmocka_unit_test(only_the_configured_header_is_read),
		cmocka_unit_test(forwarded_is_read),
		cmocka_unit_test(what_breaks_the_rules_is_refused),
		cmocka_unit_test(proxies_are_believed_and_nobody_else),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
