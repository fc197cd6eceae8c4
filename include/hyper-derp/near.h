/* SPDX-License-Identifier: MIT */
/* hyper-derp/near.h - which known name a misspelt one was meant to be: the
 * same hint for keys, commands, events and columns, in the daemon, modules and
 * tools. Here whole, so that tools need no part of the core. */
#pragma once
#include <hyper-derp/base.h>
#include <string.h>

enum { HD_NEAR_MAX_BYTES = 40 }; /* longer names have no hint */

/* Letters to insert, remove, change or swap with their neighbour (optimal
 * string alignment distance). */
static inline unsigned hd_near_distance(const char *a, size_t na,
					const char *b, size_t nb)
{
	unsigned d[HD_NEAR_MAX_BYTES + 1][HD_NEAR_MAX_BYTES + 1];

	for (size_t i = 0; i <= na; i++)
		d[i][0] = (unsigned)i;
	for (size_t j = 0; j <= nb; j++)
		d[0][j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		for (size_t j = 1; j <= nb; j++) {
			unsigned change = a[i - 1] != b[j - 1];
			unsigned best = HD_MIN(d[i - 1][j], d[i][j - 1]) + 1;

			best = HD_MIN(best, d[i - 1][j - 1] + change);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				best = HD_MIN(best, d[i - 2][j - 2] + 1);
			d[i][j] = best;
		}
	}
	return d[na][nb];
}

/* hd_near - the candidate that key is probably a slip of, or NULL. */
static inline const char *hd_near(const char *key, const char *const *names,
				  size_t n)
{
	size_t len = strlen(key);
	unsigned best = len < 4 ? 1 : len < 8 ? 2 : 3;
	const char *found = NULL;

	if (len > HD_NEAR_MAX_BYTES)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t name_len = strlen(names[i]);
		unsigned d;

		if (name_len > HD_NEAR_MAX_BYTES)
			continue;
		d = hd_near_distance(key, len, names[i], name_len);
		if (d > best || (d == best && found != NULL))
			continue;
		best = d;
		found = names[i];
	}
	return found;
}
