/* SPDX-License-Identifier: MIT */
/* core/base/lines.c - memory that one thread writes all the time. */
#include "core/base/lines.h"
#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE = 64 };

void *hd_alloc_lines(size_t bytes)
{
	size_t n = (bytes + CACHE_LINE) / CACHE_LINE * CACHE_LINE;
	void *p = aligned_alloc(CACHE_LINE, n);

	return p != NULL ? memset(p, 0, n) : NULL;
}
