/* SPDX-License-Identifier: MIT */
/* core/base/lines.h - memory of one thread: lines of the cache, pages. */
#pragma once
#include <stddef.h>

/* hd_alloc_lines - zeroed, in whole cache lines: no other thread's data beside
 * it. free() it. Returns NULL when out of memory. */
void *hd_alloc_lines(size_t bytes);

/* hd_map_pages - zeroed; a page takes memory when it is first used. Returns
 * NULL when out of memory. hd_unmap_pages - nothing happens to NULL. */
void *hd_map_pages(size_t bytes);
void hd_unmap_pages(void *p, size_t bytes);
