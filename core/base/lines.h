/* SPDX-License-Identifier: MIT */
/* core/base/lines.h - memory that one thread writes all the time. */
#pragma once
#include <stddef.h>

/* hd_alloc_lines - zeroed, in whole cache lines: no other thread's data beside
 * it. free() it. Returns NULL when out of memory. */
void *hd_alloc_lines(size_t bytes);
