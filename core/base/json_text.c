/* SPDX-License-Identifier: MIT */
/* core/base/json_text.c - JSON written as it comes. Source: RFC 8259, RFC
 * 3629. */
#include "core/base/json_text.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 256

void hd_json_free(struct hd_json *j)
{
	free(j->text);
	*j = (struct hd_json){ 0 };
}

static bool make_room(struct hd_json *j, size_t n)
{
	size_t size = j->size > 0 ? j->size : FIRST_BYTES;

	if (j->error != 0)
		return false;
	if (j->limit > 0 && n > j->limit - HD_MIN(j->limit, j->len)) {
		j->error = -EFBIG;
		return false;
	}
	while (size - j->len < n)
		size *= 2;
	if (size == j->size)
		return true;
	char *text = realloc(j->text, size);

	if (text == NULL) {
		j->error = -ENOMEM;
		return false;
	}
	j->text = text;
	j->size = size;
	return true;
}

void hd_json_put(struct hd_json *j, const char *p, size_t n)
{
	if (n == 0 || !make_room(j, n))
		return;
	memcpy(j->text + j->len, p, n);
	j->len += n;
}

static void put_text(struct hd_json *j, const char *text)
{
	hd_json_put(j, text, strlen(text));
}

/* The length of the UTF-8 character at p, which ends in 0; 0: it is none. */
static unsigned utf8_len(const unsigned char *p)
{
	static const struct {
		unsigned char first, last, low, high; /* low..high: 2nd byte */
		unsigned len;
	} forms[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (unsigned i = 0; i < HD_ARRAY_N(forms); i++) {
		if (*p < forms[i].first || *p > forms[i].last)
			continue;
		if (p[1] < forms[i].low || p[1] > forms[i].high)
			return 0;
		for (unsigned k = 2; k < forms[i].len; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].len;
	}
	return 0;
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static size_t put_odd(struct hd_json *j, const unsigned char *p)
{
	unsigned n = utf8_len(p);
	char code[8];

	if (n > 0) {
		hd_json_put(j, (const char *)p, n);
		return n;
	}
	if (*p == '"' || *p == '\\')
		snprintf(code, sizeof(code), "\\%c", *p);
	else if (*p == '\n')
		snprintf(code, sizeof(code), "\\n");
	else
		snprintf(code, sizeof(code), "\\u%04x",
			 *p < 0x80 ? *p : 0xfffd);
	put_text(j, code);
	return 1;
}

static void put_quoted(struct hd_json *j, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	put_text(j, "\"");
	while (*p != '\0') {
		size_t n = 0;

		while (is_plain(p[n]))
			n++;
		hd_json_put(j, (const char *)p, n);
		p += n;
		if (*p != '\0')
			p += put_odd(j, p);
	}
	put_text(j, "\"");
}

static void begin(struct hd_json *j, const char *name)
{
	if (j->comma)
		put_text(j, ",");
	j->comma = true;
	if (name == NULL)
		return;
	put_quoted(j, name);
	put_text(j, ":");
}

void hd_json_open(struct hd_json *j, const char *name, char kind)
{
	begin(j, name);
	hd_assert(j->depth < HD_JSON_DEPTH_MAX);
	j->kind[j->depth++] = kind == '[' ? ']' : '}';
	put_text(j, kind == '[' ? "[" : "{");
	j->comma = false;
}

void hd_json_close(struct hd_json *j)
{
	hd_assert(j->depth > 0);
	hd_json_put(j, &j->kind[--j->depth], 1);
	j->comma = true;
}

void hd_json_string(struct hd_json *j, const char *name, const char *text)
{
	begin(j, name);
	if (text == NULL)
		put_text(j, "null");
	else
		put_quoted(j, text);
}

void hd_json_uint(struct hd_json *j, const char *name, uint64_t n)
{
	char text[24];

	begin(j, name);
	snprintf(text, sizeof(text), "%" PRIu64, n);
	put_text(j, text);
}

void hd_json_int(struct hd_json *j, const char *name, int64_t n)
{
	char text[24];

	begin(j, name);
	snprintf(text, sizeof(text), "%" PRId64, n);
	put_text(j, text);
}

void hd_json_bool(struct hd_json *j, const char *name, bool on)
{
	begin(j, name);
	put_text(j, on ? "true" : "false");
}

void hd_json_double(struct hd_json *j, const char *name, double v)
{
	char text[40];

	begin(j, name);
	snprintf(text, sizeof(text), "%.3f", v);
	put_text(j, isfinite(v) ? text : "null");
}

void hd_json_key(struct hd_json *j, const char *name, const struct hd_key *key)
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * HD_KEY_BYTES];

	for (unsigned i = 0; i < HD_KEY_BYTES; i++) {
		text[2 * i] = digits[key->b[i] >> 4];
		text[2 * i + 1] = digits[key->b[i] & 15];
	}
	begin(j, name);
	put_text(j, "\"");
	hd_json_put(j, text, sizeof(text));
	put_text(j, "\"");
}

void hd_json_raw(struct hd_json *j, const char *name, const char *json,
		 size_t n)
{
	begin(j, name);
	hd_json_put(j, json, n);
}
