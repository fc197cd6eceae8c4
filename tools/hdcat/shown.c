/* SPDX-License-Identifier: MIT */
/* tools/hdcat/shown.c - see files.h: a terminal obeys what it is shown. */
#include "tools/hdcat/files.h"

#include <stdio.h>
#include <string.h>

#define LONGEST 4 /* of "\xNN", and of a character */

static unsigned follow_bytes(uint8_t v)
{
	if (v < 0x80)
		return 0;
	if (v >= 0xc2 && v <= 0xdf)
		return 1;
	if ((v & 0xf0) == 0xe0)
		return 2;
	return v >= 0xf0 && v <= 0xf4 ? 3 : 4; /* 4: none begins so */
}

/* Those that draw something, from left to right. */
static bool is_plain(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0xd800 && c < 0xe000))
		return false;
	return !(c >= 0x200b && c <= 0x200f) && !(c >= 0x2028 && c <= 0x202e) &&
	       !(c >= 0x2060 && c <= 0x206f) && c != 0x061c && c != 0xfeff &&
	       c != '\\' && c <= 0x10ffff;
}

/* How many bytes the plain character has that p begins with; 0: it is none. */
static unsigned plain_bytes(const uint8_t *p, size_t n)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	unsigned follow = follow_bytes(p[0]);
	uint32_t c = p[0];

	if (follow >= n || follow == 4)
		return 0;
	if (follow > 0)
		c = p[0] & (0x3fu >> follow);
	for (unsigned i = 1; i <= follow; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	return c >= least[follow] && is_plain(c) ? follow + 1 : 0;
}

char *shown(const char *text, size_t n, char *ret)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t to = 0, i = 0;

	while (i < n && to + LONGEST + sizeof("...") <= SHOWN_BYTES) {
		unsigned bytes = plain_bytes(p + i, n - i);

		if (bytes > 0) {
			memcpy(ret + to, p + i, bytes);
			to += bytes;
			i += bytes;
		} else {
			to += (size_t)sprintf(ret + to, "\\x%02x", p[i++]);
		}
	}
	strcpy(ret + to, i < n ? "..." : "");
	return ret;
}

char *shown_bytes(uint64_t n, char *ret)
{
	static const char units[] = "kMGTPE";
	double v = (double)n / 1000;
	unsigned u = 0;

	if (n < 1000) {
		snprintf(ret, 16, "%u B", (unsigned)n);
		return ret;
	}
	for (; v >= 999.95; v /= 1000)
		u++;
	snprintf(ret, 16, "%.1f %cB", v, units[u]);
	return ret;
}
