/* SPDX-License-Identifier: MIT */
/* core/base/line.h - memory by cache lines: what a packet needs of a peer
 * stands in as few of them as it can, so these structs begin with one. Not for
 * structs of which a packet needs nothing: alignment costs some bytes. */
#pragma once
#include <hyper-derp/base.h>
#include <stdlib.h>
#include <string.h>

#define HD_LINE_BYTES 64 /* x86-64, and nearly all of arm64 */

/* hd_line_zalloc - zeroed memory at the head of a line: free(). Returns NULL
 * when there is none. */
static inline void *hd_line_zalloc(size_t n)
{
	void *p;

	if (posix_memalign(&p, HD_LINE_BYTES, n) != 0)
		return NULL;
	return memset(p, 0, n);
}
