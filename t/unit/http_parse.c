/* SPDX-License-Identifier: MIT */
/* t/unit/http_parse.c - request heads, good and bad. */
#include "core/http/http.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char buf[65536];
static struct hd_http_head head;

static int parse_n(const char *text, size_t n)
{
	memcpy(buf, text, n);
	return hd_http_parse(buf, n, &head);
}

static int parse(const char *text)
{
	return parse_n(text, strlen(text));
}

static void a_head_is_taken_apart(void **state)
{
	static const char text[] = "GET /derp?a=b HTTP/1.1\r\n"
				   "Host: relay.example:443\r\n"
				   "X-Empty:\r\n"
				   "x-spaces: \t two  words \t \r\n"
				   "\r\nDERP";

	(void)state;
	assert_int_equal(parse(text), sizeof(text) - 1 - 4);
	assert_string_equal(head.method, "GET");
	assert_string_equal(head.path, "/derp");
	assert_string_equal(head.query, "a=b");
	assert_int_equal(head.minor, 1);
	assert_int_equal(head.n, 3);
	assert_string_equal(hd_http_header(&head, "HOST"), "relay.example:443");
	assert_string_equal(hd_http_header(&head, "x-empty"), "");
	assert_string_equal(hd_http_header(&head, "X-Spaces"), "two  words");
	assert_null(hd_http_header(&head, "X-Space"));
}

static void nothing_changes_until_it_is_complete(void **state)
{
	static const char text[] = "HEAD / HTTP/1.0\r\nA: b \r\nC:d\r\n\r\n";

	(void)state;
	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		assert_int_equal(parse_n(text, n), 0);
		assert_memory_equal(buf, text, n);
	}
	assert_int_equal(parse(text), sizeof(text) - 1);
	assert_int_equal(head.minor, 0);
	assert_null(head.query);
}

static void verdicts(void **state)
{
	static const struct {
		const char *text;
		int want;
	} cases[] = {
		{ "GET / HTTP/1.1\r\n\r\n", 18 },
		{ "\r\nGET / HTTP/1.1\r\n\r\n", 20 }, /* RFC 9112, 2.2 */
		{ "\r\n\r\nGET / HTTP/1.1\r\n\r\n", -EBADMSG },
		{ "OPTIONS * HTTP/1.1\r\n\r\n", 22 },
		{ "CONNECT a.example:443 HTTP/1.1\r\n\r\n", 34 },
		/* lines end in CR LF, and only there */
		{ "GET / HTTP/1.1\n", -EBADMSG },
		{ "GET / HTTP/1.1\r\nA: b\n", -EBADMSG },
		{ "GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", -EBADMSG },
		{ "GET / HTTP/1.1\r\nA: b\r\r\n\r\n", -EBADMSG },
		/* request line */
		{ "GET / HTTP/1.2\r\n\r\n", -EPROTONOSUPPORT },
		{ "PRI * HTTP/2.0\r\n\r\n", -EPROTONOSUPPORT },
		{ "GET / HTTP/0.9\r\n\r\n", -EPROTONOSUPPORT },
		{ "GET / HTTP/1.10\r\n\r\n", -EBADMSG },
		{ "GET / http/1.1\r\n\r\n", -EBADMSG },
		{ "GET / HTTX/1.1\r\n\r\n", -EBADMSG },
		{ "GET /\r\n\r\n", -EBADMSG },
		{ "GET  / HTTP/1.1\r\n\r\n", -EBADMSG },
		{ "GET /  HTTP/1.1\r\n\r\n", -EBADMSG },
		{ "GET / HTTP/1.1 \r\n\r\n", -EBADMSG },
		{ " GET / HTTP/1.1\r\n\r\n", -EBADMSG },
		{ "GET\t/\tHTTP/1.1\r\n\r\n", -EBADMSG },
		{ "GET derp HTTP/1.1\r\n\r\n", -EBADMSG },
		{ "GET /\xc3\xa4 HTTP/1.1\r\n\r\n", -EBADMSG },
		{ "G@T / HTTP/1.1\r\n\r\n", -EBADMSG },
		/* hopeless before the head is complete */
		{ "G@T", -EBADMSG },
		{ "\x16\x03\x01", -EBADMSG },
		{ "{\"json\":1}", -EBADMSG },
		{ "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG", -EBADMSG },
		/* header lines */
		{ "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", -EBADMSG }, /* fold */
		{ "GET / HTTP/1.1\r\nA : b\r\n\r\n", -EBADMSG },
		{ "GET / HTTP/1.1\r\n: b\r\n\r\n", -EBADMSG },
		{ "GET / HTTP/1.1\r\nA\r\n\r\n", -EBADMSG },
		{ "GET / HTTP/1.1\r\nA: \x01\r\n\r\n", -EBADMSG },
		{ "GET / HTTP/1.1\r\nA: \x7f\r\n\r\n", -EBADMSG },
		{ "GET / HTTP/1.1\r\nA(: b\r\n\r\n", -EBADMSG },
		{ "GET / HTTP/1.1\r\nA: \xc3\xa4\r\n\r\n", 25 },
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		int got = parse(cases[i].text);

		if (got != cases[i].want)
			fail_msg("%s: got %d, want %d", cases[i].text, got,
				 cases[i].want);
	}
}

static void nul_is_refused(void **state)
{
	static const char whole[] = "GET / HTTP/1.1\r\nA: \0\r\n\r\n";
	static const char part[] = "GET / HTTP/1.1\r\nA: \0";

	(void)state;
	assert_int_equal(parse_n(whole, sizeof(whole) - 1), -EBADMSG);
	assert_int_equal(parse_n(part, sizeof(part) - 1), -EBADMSG);
}

static void absolute_form(void **state)
{
	static const struct {
		const char *target, *path, *query;
	} cases[] = {
		{ "http://relay.example/derp", "/derp", NULL },
		{ "HTTPS://relay.example:443/derp?x", "/derp", "x" },
		{ "http://relay.example", "/", NULL },
		{ "http://relay.example?x=/y", "/", "x=/y" },
		{ "http://", "/", NULL },
		{ "/http://relay.example/derp", "/http://relay.example/derp",
		  NULL },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n\r\n",
			 cases[i].target);
		assert_int_equal(parse(text), strlen(text));
		assert_string_equal(head.path, cases[i].path);
		if (cases[i].query == NULL)
			assert_null(head.query);
		else
			assert_string_equal(head.query, cases[i].query);
	}
}

static void size_limit(void **state)
{
	size_t n = (size_t)snprintf(buf, sizeof(buf), "GET / HTTP/1.1\r\nA: ");

	(void)state;
	memset(buf + n, 'x', sizeof(buf) - n);
	memcpy(buf + HD_HTTP_HEAD_MAX_BYTES - 4, "\r\n\r\n", 4);
	assert_int_equal(hd_http_parse(buf, HD_HTTP_HEAD_MAX_BYTES - 1, &head),
			 0);
	assert_int_equal(hd_http_parse(buf, sizeof(buf), &head),
			 HD_HTTP_HEAD_MAX_BYTES);

	n = (size_t)snprintf(buf, sizeof(buf), "GET / HTTP/1.1\r\nA: ");
	memset(buf + n, 'x', sizeof(buf) - n);
	memcpy(buf + HD_HTTP_HEAD_MAX_BYTES - 3, "\r\n\r\n", 4);
	assert_int_equal(hd_http_parse(buf, HD_HTTP_HEAD_MAX_BYTES, &head),
			 -E2BIG);
	assert_int_equal(hd_http_parse(buf, sizeof(buf), &head), -E2BIG);
}

static int parse_headers(unsigned headers)
{
	char text[4096] = "GET / HTTP/1.1\r\n";

	for (unsigned i = 0; i < headers; i++)
		strcat(text, "A: b\r\n");
	strcat(text, "\r\n");
	return parse(text);
}

static void count_limit(void **state)
{
	(void)state;
	assert_int_equal(parse_headers(HD_HTTP_HEADERS_MAX),
			 16 + 6 * HD_HTTP_HEADERS_MAX + 2);
	assert_int_equal(head.n, HD_HTTP_HEADERS_MAX);
	assert_int_equal(parse_headers(HD_HTTP_HEADERS_MAX + 1), -E2BIG);
}

static void lists(void **state)
{
	static const struct {
		const char *value;
		bool want;
	} cases[] = {
		{ "Upgrade", true },
		{ "keep-alive, UPGRADE", true },
		{ "upgrade , keep-alive", true },
		{ ",, \tupgrade\t,", true },
		{ "a,b\r\nConnection: upgrade", true },
		{ "upgraded", false },
		{ "upgrad", false },
		{ "up grade", false },
		{ "\"upgrade\"", false },
		{ "", false },
		{ ",", false },
		{ " , ", false },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		snprintf(text, sizeof(text),
			 "GET / HTTP/1.1\r\nConnection: %s\r\n\r\n",
			 cases[i].value);
		assert_int_equal(parse(text), strlen(text));
		if (hd_http_lists(&head, "connection", "upgrade") !=
		    cases[i].want)
			fail_msg("%s", cases[i].value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_is_taken_apart),
		cmocka_unit_test(nothing_changes_until_it_is_complete),
		cmocka_unit_test(verdicts),
		cmocka_unit_test(nul_is_refused),
		cmocka_unit_test(absolute_form),
		cmocka_unit_test(size_limit),
		cmocka_unit_test(count_limit),
		cmocka_unit_test(lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
