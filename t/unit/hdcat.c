/* SPDX-License-Identifier: MIT */
/* t/unit/hdcat.c - what the other end says, and people: targets, lines,
 * SOCKS5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tools/hdcat/line.h"
#include "tools/hdcat/socks.h"
#include "tools/hdcat/target.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void targets(void **state)
{
	static const struct {
		const char *text, *again; /* again NULL: refused */
		enum target_kind kind;
	} cases[] = {
		{ "localhost:80", "localhost:80", TARGET_DIAL },
		{ "[::1]:80", "[::1]:80", TARGET_DIAL },
		{ "[fe80::1%eth0]:80", "[fe80::1%eth0]:80", TARGET_DIAL },
		{ "/run/x.sock", "/run/x.sock", TARGET_DIAL },
		{ "80", NULL, TARGET_DIAL },
		{ "::1:80", NULL, TARGET_DIAL },
		{ "[::1]", NULL, TARGET_DIAL },
		{ "[x]:80", NULL, TARGET_DIAL },
		{ "[]:80", NULL, TARGET_DIAL },
		{ ":80", NULL, TARGET_DIAL },
		{ "x:", NULL, TARGET_DIAL },
		{ "x:0", NULL, TARGET_DIAL },
		{ "x:080", NULL, TARGET_DIAL },
		{ "x:65536", NULL, TARGET_DIAL },
		{ "x:+1", NULL, TARGET_DIAL },
		{ "x:http", NULL, TARGET_DIAL },
		{ "x y:1", NULL, TARGET_DIAL },
		{ "x\n:1", NULL, TARGET_DIAL },
		{ "x/y:1", NULL, TARGET_DIAL },
		{ "*:80", NULL, TARGET_DIAL },
		{ "x:*", NULL, TARGET_DIAL },
		{ "*:*", "*:*", TARGET_ALLOW },
		{ "x:0", NULL, TARGET_ALLOW },
		{ "*x:80", NULL, TARGET_ALLOW },
		{ "8080", "localhost:8080", TARGET_LISTEN },
		{ "0", "localhost:0", TARGET_LISTEN },
		{ "*:80", "*:80", TARGET_LISTEN },
		{ "x:*", NULL, TARGET_LISTEN },
		{ "*", NULL, TARGET_LISTEN },
		{ "*", "localhost:*", TARGET_ALLOW_LISTEN },
		{ "", NULL, TARGET_LISTEN },
		{ "udp:localhost:53", "udp:localhost:53", TARGET_DIAL },
		{ "udp:[::1]:53", "udp:[::1]:53", TARGET_DIAL },
		{ "udp:53", "udp:localhost:53", TARGET_LISTEN },
		{ "udp:*:*", "udp:*:*", TARGET_ALLOW },
		{ "udp:53", NULL, TARGET_DIAL },
		{ "udp:udp:x:53", NULL, TARGET_DIAL },
		{ "udp:/run/x", NULL, TARGET_DIAL },
		{ "udp:", NULL, TARGET_LISTEN },
	};
	char text[TARGET_TEXT_BYTES];
	struct target t;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int r = target_parse(cases[i].text, strlen(cases[i].text),
				     cases[i].kind, &t);

		if ((r == 0) != (cases[i].again != NULL))
			fail_msg("%s: %d", cases[i].text, r);
		if (r == 0)
			assert_string_equal(target_text(&t, text),
					    cases[i].again);
	}
}

/* 107 bytes and a NUL fit into a socket's address. */
static void long_ones(void **state)
{
	char text[400];
	struct target t;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[0] = '/';
	assert_int_equal(target_parse(text, 107, TARGET_DIAL, &t), 0);
	assert_int_equal(target_parse(text, 108, TARGET_DIAL, &t), -EINVAL);
	text[0] = 'x';
	memcpy(text + 255, ":80", 3);
	assert_int_equal(target_parse(text, 258, TARGET_DIAL, &t), 0);
	text[255] = 'x';
	memcpy(text + 256, ":80", 3);
	assert_int_equal(target_parse(text, 259, TARGET_DIAL, &t), -EINVAL);
}

static bool allowed(const char *pattern, const char *text)
{
	struct target p, t;

	assert_int_equal(target_parse(pattern, strlen(pattern), TARGET_ALLOW,
				      &p), 0);
	assert_int_equal(target_parse(text, strlen(text), TARGET_DIAL, &t), 0);
	return target_allowed(&p, &t);
}

static void allowing(void **state)
{
	(void)state;
	assert_true(allowed("localhost:22", "localhost:22"));
	assert_true(allowed("LocalHost:22", "localhost:22"));
	assert_true(allowed("*:22", "x:22"));
	assert_true(allowed("x:*", "x:1"));
	assert_true(allowed("*:*", "[::1]:1"));
	assert_true(allowed("/run/x", "/run/x"));
	assert_true(allowed("udp:*:53", "udp:x:53"));
	assert_false(allowed("*:*", "udp:x:53"));
	assert_false(allowed("udp:*:*", "x:53"));
	assert_false(allowed("localhost:22", "localhost:220"));
	assert_false(allowed("localhost:22", "localhost.:22"));
	assert_false(allowed("localhost:22", "127.0.0.1:22"));
	assert_false(allowed("x:*", "xx:1"));
	assert_false(allowed("*:*", "/run/x"));
	assert_false(allowed("/run/x", "/run/../run/x"));
	assert_false(allowed("/run/x", "/run/X"));
}

static void names(void **state)
{
	static const struct {
		const char *text;
		bool is_name;
	} cases[] = {
		{ "example.com:1", true },   { "127.1:1", true },
		{ "127.0.0.1:1", false },    { "[::1]:1", false },
		{ "[fe80::1%lo]:1", false }, { "*:1", false },
		{ "LocalHost:1", false },    { "1", false },
		{ "/run/x", false },
	};
	struct target t;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *text = cases[i].text;

		assert_int_equal(target_parse(text, strlen(text), TARGET_LISTEN,
					      &t),
				 0);
		if (target_is_name(&t) != cases[i].is_name)
			fail_msg("%s", text);
	}
}

static void forwards(void **state)
{
	static const char *const cases[][3] = {
		{ "8080:localhost:80", "localhost:8080", "localhost:80" },
		{ "*:8080:[::1]:80", "*:8080", "[::1]:80" },
		{ "[::1]:8080:x:80", "[::1]:8080", "x:80" },
		{ "0:x:80", "localhost:0", "x:80" },
		{ "8080:/run/x", "localhost:8080", "/run/x" },
		{ "x:8080:/run/x", "x:8080", "/run/x" },
		{ "/tmp/x:/run/x", "/tmp/x", "/run/x" },
		{ "/tmp/x:x:80", "/tmp/x", "x:80" },
		{ "udp:53:x:53", "udp:localhost:53", "udp:x:53" },
		{ "udp:*:53:[::1]:53", "udp:*:53", "udp:[::1]:53" },
		{ "udp:53:udp:x:53", NULL, NULL },
		{ "53:udp:x:53", NULL, NULL },
		{ "udp:53:/run/x", NULL, NULL },
		{ "udp:53", NULL, NULL },
		{ "8080", NULL, NULL },
		{ "8080:80", NULL, NULL },
		{ "8080:x:0", NULL, NULL },
		{ "8080:*:80", NULL, NULL },
		{ "a:1:b:2:c", NULL, NULL },
		{ "/tmp/x:/run/x:80", NULL, NULL },
		{ "", NULL, NULL },
		{ ":", NULL, NULL },
		{ "::", NULL, NULL },
		{ "[", NULL, NULL },
	};
	char text[TARGET_TEXT_BYTES];
	struct target at, to;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int r = forward_parse(cases[i][0], &at, &to);

		if ((r == 0) != (cases[i][1] != NULL))
			fail_msg("%s: %d", cases[i][0], r);
		if (r < 0)
			continue;
		assert_string_equal(target_text(&at, text), cases[i][1]);
		assert_string_equal(target_text(&to, text), cases[i][2]);
	}
}

/* Returns what the last byte makes of it. */
static int line(struct line *l, const char *text)
{
	int r = 0;

	memset(l, 0, sizeof(*l));
	while (r == 0 && *text != '\0')
		r = line_add(l, *text++);
	return r;
}

static void lines(void **state)
{
	char text[LINE_BYTES + 2];
	const char *arg;
	struct line l;

	(void)state;
	assert_int_equal(line(&l, "hdcat/1 dial x:80\n"), 1);
	assert_true(line_verb(&l, "dial", &arg));
	assert_string_equal(arg, "x:80");
	assert_false(line_verb(&l, "dia", &arg));
	assert_false(line_verb(&l, "cat", &arg));
	assert_int_equal(line(&l, "hdcat/1 cat\n"), 1);
	assert_true(line_verb(&l, "cat", &arg));
	assert_string_equal(arg, "");
	assert_int_equal(line(&l, "hdcat/2 cat\n"), 1);
	assert_false(line_verb(&l, "cat", &arg));
	assert_int_equal(line(&l, "\n"), 1);
	assert_false(line_verb(&l, "cat", &arg));
	assert_int_equal(line(&l, "hdcat/1 \033[2J\n"), -EPROTO);
	assert_int_equal(line(&l, "hdcat/1 \xc2\x9b\n"), -EPROTO);
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	text[LINE_BYTES - 1] = '\n';
	assert_int_equal(line(&l, text), 1);
	text[LINE_BYTES - 1] = 'x';
	assert_int_equal(line(&l, text), -EPROTO);
}

static void socks(void **state)
{
	static const uint8_t name[] = { 5, 1, 0, 3, 1, 'x', 0, 80 };
	static const uint8_t v4[] = { 5, 1, 0, 1, 127, 0, 0, 1, 1, 0 };
	static const uint8_t v6[22] = { 5, 1, 0, 4, [19] = 1, [21] = 80 };
	static const uint8_t nul[] = { 5, 1, 0, 3, 2, 'x', 0, 0, 80 };
	static const uint8_t path[] = { 5, 1, 0, 3, 2, '/', 'x', 0, 80 };
	static const uint8_t bind[] = { 5, 2, 0, 1, 127, 0, 0, 1, 1, 0 };
	static const uint8_t zero[] = { 5, 1, 0, 1, 127, 0, 0, 1, 0, 0 };
	char text[TARGET_TEXT_BYTES];
	struct target t;
	bool none;

	(void)state;
	for (size_t n = 0; n < sizeof(v4); n++)
		assert_int_equal(socks_request(v4, n, &t), 0);
	assert_int_equal(socks_request(v4, sizeof(v4), &t), sizeof(v4));
	assert_string_equal(target_text(&t, text), "127.0.0.1:256");
	assert_int_equal(socks_request(name, sizeof(name), &t), sizeof(name));
	assert_string_equal(target_text(&t, text), "x:80");
	assert_int_equal(socks_request(v6, sizeof(v6), &t), sizeof(v6));
	assert_string_equal(target_text(&t, text), "[::1]:80");
	assert_int_equal(socks_request(nul, sizeof(nul), &t), -EPROTO);
	assert_int_equal(socks_request(path, sizeof(path), &t), -EPROTO);
	assert_int_equal(socks_request(bind, sizeof(bind), &t), -EPROTO);
	assert_int_equal(socks_request(zero, sizeof(zero), &t), -EPROTO);
	assert_int_equal(socks_greeting((const uint8_t *)"\5\2\2\0", 4, &none),
			 4);
	assert_true(none);
	assert_int_equal(socks_greeting((const uint8_t *)"\5\1\2", 3, &none),
			 3);
	assert_false(none);
	assert_int_equal(socks_greeting((const uint8_t *)"\5\2\2", 3, &none),
			 0);
	assert_int_equal(socks_greeting((const uint8_t *)"\4", 1, &none),
			 -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets),  cmocka_unit_test(long_ones),
		cmocka_unit_test(allowing), cmocka_unit_test(names),
		cmocka_unit_test(forwards), cmocka_unit_test(lines),
		cmocka_unit_test(socks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
