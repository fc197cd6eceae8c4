/* SPDX-License-Identifier: MIT */
/* tools/hdctl/clean.c - see clean.h. */
#include "tools/hdctl/clean.h"

#include <hyper-derp/base.h>
#include <stdlib.h>
#include <string.h>

enum { ESCAPE_BYTES = 12 };

static const struct {
	unsigned first, last;
} unsafe[] = {
	{ 0x01, 0x1f },
	{ 0x7f, 0x9f }, /* DEL and C1: 0x9b is CSI to some terminals */
	{ 0x200e, 0x200f }, /* directions */
	{ 0x2028, 0x202e }, /* line ends, and directions */
	{ 0x2066, 0x2069 },
};

/* jansson has checked that it is UTF-8. Nothing above U+FFFF is unsafe. */
static unsigned char_at(const char *text, unsigned *ret_len)
{
	const unsigned char *p = (const unsigned char *)text;

	*ret_len = 1;
	if (p[0] >= 0xe0 && p[0] < 0xf0 && p[1] != 0 && p[2] != 0) {
		*ret_len = 3;
		return (p[0] & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
	}
	if (p[0] >= 0xc0 && p[0] < 0xe0 && p[1] != 0) {
		*ret_len = 2;
		return (p[0] & 31u) << 6 | (p[1] & 63u);
	}
	if (p[0] >= 0xf0 && p[1] != 0 && p[2] != 0 && p[3] != 0) {
		*ret_len = 4;
		return 0x10000;
	}
	return p[0]; /* a stray byte of C1 is one to some terminals */
}

static bool is_unsafe(unsigned c)
{
	for (size_t i = 0; i < HD_ARRAY_N(unsafe); i++)
		if (c >= unsafe[i].first && c <= unsafe[i].last)
			return true;
	return false;
}

/* What stands for the first character. Returns how long that is in text. */
static unsigned next_piece(const char *text, bool lines,
			   char piece[ESCAPE_BYTES])
{
	unsigned len, c = char_at(text, &len);

	if (is_unsafe(c) && !(lines && (c == '\n' || c == '\t'))) {
		(void)snprintf(piece, ESCAPE_BYTES, "\\u%04x", c & 0xffff);
	} else {
		memcpy(piece, text, len);
		piece[len] = '\0';
	}
	return len;
}

void clean_put(FILE *out, const char *text, bool lines)
{
	char piece[ESCAPE_BYTES];

	while (*text != '\0') {
		text += next_piece(text, lines, piece);
		fputs(piece, out);
	}
}

char *clean_copy(char *buf, size_t size, const char *text)
{
	char piece[ESCAPE_BYTES];
	size_t n = 0;

	while (*text != '\0') {
		size_t len;

		text += next_piece(text, false, piece);
		len = strlen(piece);
		if (n + len >= size)
			break;
		memcpy(buf + n, piece, len);
		n += len;
	}
	buf[n] = '\0';
	return buf;
}

void clean_json(FILE *out, const json_t *data, size_t flags)
{
	char *text = json_dumps(data, flags | JSON_ENCODE_ANY |
					      JSON_REAL_PRECISION(15));

	clean_put(out, text != NULL ? text : "null", true);
	fputc('\n', out);
	free(text);
}
