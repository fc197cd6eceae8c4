/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_hdcat.c - what the other end of an hdcat says, and a client of
 * its proxy.
 *
 * Input: 1 byte what it is, then the bytes: a line that a stream begins with,
 * SOCKS5, or a text of the command line. */
#include "tools/hdcat/line.h"
#include "tools/hdcat/socks.h"
#include "tools/hdcat/target.h"
#include <hyper-derp/base.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { LINE, SOCKS, TEXT, KINDS };

/* What is taken can be said again, and is the same then. */
static void target(const char *text, size_t n, enum target_kind kind)
{
	char one[TARGET_TEXT_BYTES], two[TARGET_TEXT_BYTES];
	struct target a, b;

	if (target_parse(text, n, kind, &a) < 0)
		return;
	target_text(&a, one);
	hd_assert(target_parse(one, strlen(one), kind, &b) == 0);
	hd_assert(strcmp(target_text(&b, two), one) == 0);
	hd_assert(target_allowed(&a, &b) || strchr(one, '*') != NULL);
}

static void line(const uint8_t *p, size_t n)
{
	struct line l = { 0 };
	const char *arg;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = line_add(&l, (char)p[i]);
	if (r == 1 && line_verb(&l, "dial", &arg))
		target(arg, strlen(arg), TARGET_DIAL);
	if (r == 1 && line_verb(&l, "bind", &arg))
		target(arg, strlen(arg), TARGET_LISTEN);
}

static void socks(const uint8_t *p, size_t n)
{
	struct target t;
	bool none;

	hd_assert(socks_greeting(p, n, &none) <= (ssize_t)n);
	hd_assert(socks_request(p, n, &t) <= (ssize_t)n);
}

static void text(const uint8_t *p, size_t n)
{
	struct target at, to;
	char v[1024];

	n = HD_MIN(n, sizeof(v) - 1);
	memcpy(v, p, n);
	v[n] = '\0';
	(void)forward_parse(v, &at, &to);
	for (unsigned kind = TARGET_DIAL; kind <= TARGET_ALLOW_LISTEN; kind++)
		target(v, strlen(v), kind);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n < 2)
		return 0;
	switch (p[0] % KINDS) {
	case LINE:
		line(p + 1, n - 1);
		break;
	case SOCKS:
		socks(p + 1, n - 1);
		break;
	default:
		text(p + 1, n - 1);
		break;
	}
	return 0;
}
