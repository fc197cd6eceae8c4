/* SPDX-License-Identifier: MIT */
/* libhd/ring.c - see ring.h. */
#include "libhd/ring.h"
#include <errno.h>
#include <hyper-derp/base.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* one more: the first and the last need not be full */
	CHUNKS = HDL_RING_BYTES / HDL_RING_CHUNK_BYTES + 1,
	SPARE = 4, /* that are kept */
};

size_t hdl_ring_room(const struct hdl_ring *r)
{
	return HDL_RING_BYTES - (size_t)(r->to - r->from);
}

static uint64_t chunk_of(uint64_t offset)
{
	return offset / HDL_RING_CHUNK_BYTES;
}

static uint8_t *place(const struct hdl_ring *r, uint64_t offset)
{
	return r->chunks[chunk_of(offset) % CHUNKS] +
	       offset % HDL_RING_CHUNK_BYTES;
}

/* Of n bytes at that offset, those in one chunk. */
static size_t straight(uint64_t offset, size_t n)
{
	return HD_MIN(n, HDL_RING_CHUNK_BYTES -
				 (size_t)(offset % HDL_RING_CHUNK_BYTES));
}

/* Chunks for what is before that offset. */
static bool have(struct hdl_ring *r, uint64_t offset)
{
	if (r->chunks == NULL) {
		r->chunks = calloc(CHUNKS, sizeof(*r->chunks));
		r->top = chunk_of(r->from);
	}
	if (r->chunks == NULL)
		return false;
	for (; r->top * HDL_RING_CHUNK_BYTES < offset; r->top++) {
		uint8_t *chunk = malloc(HDL_RING_CHUNK_BYTES);

		if (chunk == NULL)
			return false;
		r->chunks[r->top % CHUNKS] = chunk;
	}
	return true;
}

int64_t hdl_ring_put(struct hdl_ring *r, const void *data, size_t n)
{
	const uint8_t *from = data;
	size_t left;

	n = HD_MIN(n, hdl_ring_room(r));
	if (n == 0)
		return 0;
	if (!have(r, r->to + n))
		return -ENOMEM;
	for (left = n; left > 0;) {
		size_t some = straight(r->to, left);

		memcpy(place(r, r->to), from, some);
		from += some;
		left -= some;
		r->to += some;
	}
	return (int64_t)n;
}

size_t hdl_ring_look(const struct hdl_ring *r, uint64_t offset,
		     struct iovec v[2])
{
	size_t pieces = 0;

	for (; pieces < 2 && offset < r->to; pieces++) {
		size_t n = straight(offset, (size_t)(r->to - offset));

		v[pieces] = (struct iovec){ place(r, offset), n };
		offset += n;
	}
	return pieces;
}

/* The first chunk is done with. */
static void pass(struct hdl_ring *r, uint64_t first)
{
	uint8_t *chunk = r->chunks[first % CHUNKS];
	uint64_t used = chunk_of(r->to + HDL_RING_CHUNK_BYTES - 1);

	r->chunks[first % CHUNKS] = NULL;
	if (r->top < used + SPARE && r->top <= first + CHUNKS)
		r->chunks[r->top++ % CHUNKS] = chunk;
	else
		free(chunk);
}

void hdl_ring_done(struct hdl_ring *r, uint64_t offset)
{
	uint64_t first = chunk_of(r->from), end = chunk_of(offset);

	r->from = offset;
	for (; r->chunks != NULL && first < end; first++)
		pass(r, first);
}

size_t hdl_ring_get(struct hdl_ring *r, void *data, size_t n)
{
	uint8_t *to = data;
	size_t got = 0;

	n = HD_MIN(n, (size_t)(r->to - r->from));
	while (got < n) {
		size_t some = straight(r->from, n - got);

		memcpy(to + got, place(r, r->from), some);
		got += some;
		hdl_ring_done(r, r->from + some);
	}
	return got;
}

void hdl_ring_free(struct hdl_ring *r)
{
	for (unsigned i = 0; r->chunks != NULL && i < CHUNKS; i++)
		free(r->chunks[i]);
	free(r->chunks);
	r->chunks = NULL;
}

bool hdl_ring_can_rest(const struct hdl_ring *r)
{
	return r->chunks != NULL && r->from == r->to;
}

void hdl_ring_rest(struct hdl_ring *r)
{
	if (hdl_ring_can_rest(r))
		hdl_ring_free(r);
}
