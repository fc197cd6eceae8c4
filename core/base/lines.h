/* SPDX-License-Identifier: MIT */
/* core/base/lines.h - memory of one thread: lines of the cache, pages. */
#pragma once
#include <stddef.h>

#define HD_LINE_BYTES 64 /* of the cache: x86-64, and nearly all of arm64 */

/* HD_LINES_ARE - what stands in which line, where a pointer has 8 bytes. */
#define HD_LINES_ARE(what)                                                     \
	_Static_assert(sizeof(void *) != 8 || (what),                          \
		       "its lines are as the comment says")

/* hd_alloc_lines - zeroed, in whole cache lines: no other thread's data beside
 * it; and what a packet needs of it stands in as few as it can. free() it.
 * Returns NULL when out of memory. */
void *hd_alloc_lines(size_t bytes);

/* hd_map_pages - zeroed; a page takes memory when it is first used. Returns
 * NULL when out of memory. hd_unmap_pages - nothing happens to NULL. */
void *hd_map_pages(size_t bytes);
void hd_unmap_pages(void *p, size_t bytes);
