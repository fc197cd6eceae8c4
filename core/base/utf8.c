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
