/* SPDX-License-Identifier: MIT */
/* core/base/lines.c - memory of one thread: lines of the cache, pages. */
#include "core/base/lines.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { CACHE_LINE = 64 };

void *hd_alloc_lines(size_t bytes)
{
	size_t lines = bytes > 0 ? (bytes - 1) / CACHE_LINE + 1 : 1;
	size_t n = lines * CACHE_LINE;
	void *p = aligned_alloc(CACHE_LINE, n);

	return p != NULL ? memset(p, 0, n) : NULL;
}

void *hd_map_pages(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void hd_unmap_pages(void *p, size_t bytes)
{
	if (p != NULL)
		munmap(p, bytes);
}
