/* SPDX-License-Identifier: MIT */
/* modules/wg/roster_seal.c - the roster's file is whole or refused. */
#include "modules/wg/roster.h"
#include "modules/wg/seal.h"
#include <errno.h>
#include <sodium.h>
#include <string.h>

enum { HEX_BYTES = 2 * WG_SEAL_BYTES + 1, LAST_MAX_BYTES = 128 };

static size_t count_lines(const char *text, size_t n)
{
	const char *end = text + n;
	size_t lines = 0;

	for (const char *p = text;
	     p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
		lines++;
	return lines;
}

/* The last line that a text of n bytes must have. */
static void last_line(const char *text, size_t n, char ret[LAST_MAX_BYTES])
{
	uint8_t seal[WG_SEAL_BYTES];
	char hex[HEX_BYTES];

	wg_seal_make(text, n, seal);
	sodium_bin2hex(hex, sizeof(hex), seal, sizeof(seal));
	snprintf(ret, LAST_MAX_BYTES, "# end lines=%zu sha256=%s\n",
		 count_lines(text, n), hex);
}

int wg_seal_print(const struct wg_roster *r, char **ret, size_t *ret_n)
{
	FILE *f = open_memstream(ret, ret_n);
	char last[LAST_MAX_BYTES];
	bool good;

	if (f == NULL)
		return -ENOMEM;
	fputs(WG_SEAL_FIRST, f);
	wg_text_print(r, f);
	good = fflush(f) == 0;
	if (good) {
		last_line(*ret, *ret_n, last);
		fputs(last, f);
	}
	return fclose(f) != 0 || !good ? -ENOMEM : 0;
}

/* ---- read ---- */

static int broken(const char *file, size_t line, const char *what,
		  struct wg_refusal *why)
{
	char where[320], remedy[512];

	if (file == NULL)
		return wg_refuse(why, -EBADMSG, "bad_args",
				 "line %zu: the file %s; if somebody edited "
				 "it, take its first line away",
				 line, what);
	snprintf(where, sizeof(where), "%.300s", file);
	snprintf(remedy, sizeof(remedy),
		 "if you edited it, take its first line away; else put the "
		 "copy before it back: cp -p %.200s.before %.200s",
		 file, file);
	return wg_refuse(why, -EBADMSG, "wg_roster_failed",
			 "%s:%zu: the roster %s; %s", where, line, what,
			 remedy);
}

static bool begins_with(const char *text, size_t n, const char *what)
{
	return n >= strlen(what) && memcmp(text, what, strlen(what)) == 0;
}

int wg_seal_check(const char *file, const char *text, size_t n,
		  struct wg_refusal *why)
{
	const char *last;
	char want[LAST_MAX_BYTES];
	size_t lines = count_lines(text, n), before;

	if (n == 0)
		return broken(file, 1, "is empty, of 0 bytes", why);
	if (!begins_with(text, n, WG_SEAL_FIRST))
		return 0;
	if (text[n - 1] != '\n')
		return broken(file, lines + 1, "is cut off in this line", why);
	last = memrchr(text, '\n', n - 1);
	last = last != NULL ? last + 1 : text;
	before = (size_t)(last - text);
	if (!begins_with(last, n - before, "# end "))
		return broken(file, lines,
			      "is cut off: its last line does not begin with "
			      "\"# end\"",
			      why);
	last_line(text, before, want);
	if (n - before != strlen(want) ||
	    memcmp(last, want, strlen(want)) != 0)
		return broken(file, lines,
			      "is damaged, or somebody edited it: its lines "
			      "and SHA-256 are not those of its last line",
			      why);
	return 1;
}
