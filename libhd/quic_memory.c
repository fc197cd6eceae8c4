/* SPDX-License-Identifier: MIT */
/* libhd/quic_memory.c - what a connection of QUIC may have of our memory.
 *
 * ngtcp2 keeps what comes out of order in blocks of 8 kB, whatever is in them.
 * The window of a connection bounds that for streams that are open. Of one that
 * was closed unread ngtcp2 gives the window back at once, and keeps the bytes
 * until the other end says that the stream is over: one that never does could
 * have 4 MB kept of each of 256 streams. So all that ngtcp2 has is counted, and
 * who wants more than there is has its connection closed. */
#include <malloc.h>
#include <stdlib.h>
#include "libhd/quic.h"

static bool fits(const struct hdl_quic *q, size_t n)
{
	/* once it is told, that is what there is to write */
	return q->told || (n <= HDL_CONN_MEMORY_BYTES &&
			   q->mem_bytes <= HDL_CONN_MEMORY_BYTES - n);
}

static void *counted(struct hdl_quic *q, void *p)
{
	q->mem_bytes += p != NULL ? malloc_usable_size(p) : 0;
	return p;
}

static void *of_malloc(size_t n, void *user)
{
	return fits(user, n) ? counted(user, malloc(n)) : NULL;
}

static void *of_calloc(size_t n, size_t each, void *user)
{
	size_t all;

	if (__builtin_mul_overflow(n, each, &all) || !fits(user, all))
		return NULL;
	return counted(user, calloc(n, each));
}

static void of_free(void *p, void *user)
{
	struct hdl_quic *q = user;

	q->mem_bytes -= p != NULL ? malloc_usable_size(p) : 0;
	free(p);
}

static void *of_realloc(void *p, size_t n, void *user)
{
	size_t had = p != NULL ? malloc_usable_size(p) : 0;
	struct hdl_quic *q = user;
	void *more;

	if (!fits(q, n > had ? n - had : 0))
		return NULL;
	more = realloc(p, n);
	if (more == NULL)
		return NULL;
	q->mem_bytes -= had;
	return counted(q, more);
}

void hdl_quic_memory_init(struct hdl_quic *q)
{
	q->mem = (ngtcp2_mem){ .user_data = q,
			       .malloc = of_malloc,
			       .free = of_free,
			       .calloc = of_calloc,
			       .realloc = of_realloc };
}
