/* SPDX-License-Identifier: MIT */
/* core/stream/stream_kept.h - how much a read brings, and bytes that a protocol
 * has not used yet, an unfinished frame. For stream_rx.c. Context: the stream's
 * worker. */
#pragma once
#include <string.h>
#include "core/stream/stream_life.h"
#include "core/tls/tls.h"

static inline size_t kept_bytes(const struct hd_stream *s)
{
	return s->kept != NULL ? hd_chunk_len(s->kept) : 0;
}

/* Puts n bytes behind what is kept. The chunk at least doubles when it grows:
 * a large frame that comes in drops is not copied for each of them. */
static inline void keep_more(struct hd_stream *s, const uint8_t *p, size_t n)
{
	struct hd_chunk *old = s->kept;
	size_t have = kept_bytes(s);

	if (old == NULL || hd_chunk_room(old) < n) {
		s->kept = hd_chunk_new(&s->worker->streams->pool,
				       have + HD_MAX(have, n));
		if (s->kept != NULL && have > 0)
			memcpy(s->kept->data + s->kept->tail,
			       old->data + old->head, have);
		if (s->kept != NULL)
			s->kept->tail += (uint32_t)have;
		hd_chunk_put(&s->worker->streams->pool, &old);
	}
	if (s->kept == NULL) {
		hd_stream_abort(s, HD_CLOSE_ERROR);
		return;
	}
	memcpy(s->kept->data + s->kept->tail, p, n);
	s->kept->tail += (uint32_t)n;
}

/* Moves what was kept to the front of the worker's buffer. */
static inline size_t unkeep(struct hd_stream *s)
{
	size_t n;

	if (s->kept == NULL)
		return 0;
	n = hd_chunk_len(s->kept);
	hd_assert(n <= HD_KEPT_MAX_BYTES);
	memcpy(s->worker->plain, s->kept->data + s->kept->head, n);
	hd_chunk_put(&s->worker->streams->pool, &s->kept);
	return n;
}

/* A ring to another worker has more room than that, or it is awaited. */
#define HD_READ_LEAST_BYTES ((size_t)4096)

/* What a protocol may be given beside what a read was asked for: unused bytes,
 * and the front of a record; the kernel's TLS brings a whole one at least. */
static inline size_t beside_bytes(const struct hd_stream *s)
{
	return kept_bytes(s) + (s->tls != NULL ? HD_TLS_PARTIAL_BYTES : 0);
}

/* Of how many that have input each has so much, when its turn comes, that a
 * large read saves system calls and sends. With few, a small one is better: it
 * stays in the second-level cache until it is sealed. And no more than rings to
 * other workers have room for. */
#define MANY_READY 32

static inline size_t read_bytes(const struct hd_stream *s)
{
	const struct hd_worker *w = s->worker;
	size_t fits, beside;
	bool whole = w->streams->ready.n >= MANY_READY &&
		     !hd_streams_tight(w->streams) && s->throttle == NULL;

	if (w->xused <= HD_XRING_NEAR_BYTES)
		return whole ? HD_READ_BYTES : HD_READ_PART_BYTES;
	fits = hd_xring_fits(w);
	beside = beside_bytes(s);
	fits = fits > beside ? fits - beside : 0; /* a login's is no packet */
	fits = HD_MAX(fits, HD_READ_LEAST_BYTES);
	return HD_MIN(fits, HD_READ_PART_BYTES);
}

/* The kernel's TLS may bring all records that have come. */
static inline size_t kernel_read_bytes(const struct hd_stream *s)
{
	size_t n = read_bytes(s);

	if (s->worker->xused <= HD_XRING_NEAR_BYTES)
		return HD_READ_BYTES;
	return HD_MAX(n, (size_t)HD_TLS_PARTIAL_BYTES);
}
