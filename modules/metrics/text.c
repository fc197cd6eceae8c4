/* SPDX-License-Identifier: MIT */
/* modules/metrics/text.c - text that grows, and its escapes. */
#include "modules/metrics/text.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void metrics_text_free(struct metrics_text *t)
{
	free(t->v);
	*t = (struct metrics_text){ 0 };
}

static bool room(struct metrics_text *t, size_t n)
{
	size_t size = t->size > 0 ? t->size : 256;
	char *v;

	if (t->failed)
		return false;
	if (t->size - t->n >= n)
		return true;
	while (size - t->n < n)
		size *= 2;
	v = realloc(t->v, size);
	if (v == NULL) {
		t->failed = true;
		return false;
	}
	t->v = v;
	t->size = size;
	return true;
}

void metrics_put(struct metrics_text *t, const char *data, size_t n)
{
	if (n == 0 || !room(t, n))
		return;
	memcpy(t->v + t->n, data, n);
	t->n += n;
}

void metrics_puts(struct metrics_text *t, const char *s)
{
	metrics_put(t, s, strlen(s));
}

void metrics_put_uint(struct metrics_text *t, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	metrics_put(t, digits + at, sizeof(digits) - at);
}

void metrics_put_int(struct metrics_text *t, int64_t n)
{
	if (n < 0)
		metrics_puts(t, "-");
	metrics_put_uint(t, n < 0 ? -(uint64_t)n : (uint64_t)n);
}

void metrics_printf(struct metrics_text *t, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	hd_assert(n >= 0 && (size_t)n < sizeof(text));
	metrics_put(t, text, (size_t)n);
}

/* ---- escapes ---- */

/* The bytes of a UTF-8 character; 0: there is none here. Source: RFC 3629, 4:
 * no overlong forms, no surrogates, nothing above U+10FFFF. */
static size_t utf8_len(const unsigned char *s)
{
	static const struct {
		unsigned char first, last, low, high; /* of the second byte */
		size_t len;
	} forms[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < HD_ARRAY_N(forms); i++) {
		size_t n = 2;

		if (s[0] < forms[i].first || s[0] > forms[i].last)
			continue;
		if (s[1] < forms[i].low || s[1] > forms[i].high)
			return 0;
		while (n < forms[i].len && (s[n] & 0xc0) == 0x80)
			n++;
		return n == forms[i].len ? n : 0;
	}
	return s[0] < 0x80;
}

/* Returns the bytes used: a character as it is, or U+FFFD for a wrong byte. */
static size_t put_char(struct metrics_text *t, const char *s)
{
	size_t n = utf8_len((const unsigned char *)s);

	metrics_put(t, n > 0 ? s : "\xef\xbf\xbd", n > 0 ? n : 3);
	return n > 0 ? n : 1;
}

static const char *escape_of(char c, bool quotes)
{
	switch (c) {
	case '\\':
		return "\\\\";
	case '\n':
		return "\\n";
	case '"':
		return quotes ? "\\\"" : NULL;
	default:
		return NULL;
	}
}

void metrics_put_help(struct metrics_text *t, const char *help, bool quotes)
{
	while (*help != '\0') {
		const char *escape = escape_of(*help, quotes);

		if (escape != NULL)
			metrics_puts(t, escape);
		help += escape != NULL ? 1 : put_char(t, help);
	}
}

void metrics_put_label(struct metrics_text *t, const char *name,
		       const char *value)
{
	metrics_puts(t, name);
	metrics_puts(t, "=\"");
	metrics_put_help(t, value, true);
	metrics_puts(t, "\"");
}

void metrics_put_json(struct metrics_text *t, const char *s)
{
	metrics_puts(t, "\"");
	while (*s != '\0') {
		const char *escape = escape_of(*s, true);

		if (escape != NULL)
			metrics_puts(t, escape);
		else if ((unsigned char)*s < 0x20)
			metrics_printf(t, "\\u%04x", *s);
		else {
			s += put_char(t, s);
			continue;
		}
		s++;
	}
	metrics_puts(t, "\"");
}

void metrics_put_key(struct metrics_text *t, const struct hd_key *key)
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * HD_KEY_BYTES];

	for (unsigned i = 0; i < HD_KEY_BYTES; i++) {
		text[2 * i] = digits[key->b[i] >> 4];
		text[2 * i + 1] = digits[key->b[i] & 15];
	}
	metrics_put(t, text, sizeof(text));
}
