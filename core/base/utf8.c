/* SPDX-License-Identifier: MIT */
/* core/base/utf8.c - see utf8.h. The ranges are those of RFC 3629,
 * section 4. */
#include "core/base/utf8.h"
#include <string.h>

/* Returns the bytes that follow the first of a character, and what the second
 * may be; -1: no character begins so. */
static int follow(uint8_t first, uint8_t *ret_low, uint8_t *ret_high)
{
	*ret_low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
	*ret_high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
	if (first < 0x80)
		return 0;
	if (first < 0xc2 || first > 0xf4)
		return -1;
	return first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
}

/* Returns its bytes; 0: it is none. */
static size_t character(const uint8_t *p, size_t n)
{
	uint8_t low, high;
	int more = follow(p[0], &low, &high);

	if (more < 0 || (size_t)more >= n)
		return 0;
	for (int i = 1; i <= more; i++) {
		if (p[i] < low || p[i] > high)
			return 0;
		low = 0x80;
		high = 0xbf;
	}
	return 1 + (size_t)more;
}

/* Most text is ASCII: eight at a time. */
static bool ascii8(const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return (word & 0x8080808080808080ull) == 0;
}

size_t hd_utf8_prefix(const void *text, size_t n)
{
	const uint8_t *p = text;
	size_t at = 0;

	while (at < n) {
		size_t len = n - at >= 8 && ascii8(p + at)
				     ? 8
				     : character(p + at, n - at);

		if (len == 0)
			break;
		at += len;
	}
	return at;
}

/* ---- shown ---- */

/* C0 and C1; line ends and directions of Unicode: U+200E, U+200F, U+2028 to
 * U+202E, U+2066 to U+2069. */
static bool is_unseen(const uint8_t *p, size_t n)
{
	if (n == 1)
		return p[0] < 0x20 || p[0] == 0x7f;
	if (n == 2)
		return p[0] == 0xc2 && p[1] < 0xa0;
	if (n != 3 || p[0] != 0xe2)
		return false;
	if (p[1] == 0x80)
		return (p[2] >= 0x8e && p[2] <= 0x8f) ||
		       (p[2] >= 0xa8 && p[2] <= 0xae);
	return p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9;
}

void hd_utf8_clean(const char *text, char *ret, size_t size)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t left = strlen(text), at = 0;

	while (left > 0) {
		size_t n = character(p, left);
		bool bad = n == 0 || is_unseen(p, n);
		size_t out = bad ? 1 : n;

		if (at + out >= size)
			break;
		memcpy(ret + at, bad ? "?" : *p == '"' ? "'" : (char *)p, out);
		at += out;
		n = n == 0 ? 1 : n;
		p += n;
		left -= n;
	}
	ret[at] = '\0';
}
