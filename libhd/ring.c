/* SPDX-License-Identifier: MIT */
/* libhd/ring.c - see ring.h. */
#include "libhd/ring.h"
#include <errno.h>
#include <hyper-derp/base.h>
#include <stdlib.h>
#include <string.h>

size_t hdl_ring_room(const struct hdl_ring *r)
{
	return HDL_RING_BYTES - (size_t)(r->to - r->from);
}

static size_t place(uint64_t offset)
{
	return (size_t)(offset % HDL_RING_BYTES);
}

/* Of n bytes at that offset, those before the memory begins again. */
static size_t straight(uint64_t offset, size_t n)
{
	return HD_MIN(n, HDL_RING_BYTES - place(offset));
}

int64_t hdl_ring_put(struct hdl_ring *r, const void *data, size_t n)
{
	const uint8_t *from = data;
	size_t first;

	n = HD_MIN(n, hdl_ring_room(r));
	if (n == 0)
		return 0;
	if (r->v == NULL)
		r->v = malloc(HDL_RING_BYTES);
	if (r->v == NULL)
		return -ENOMEM;
	first = straight(r->to, n);
	memcpy(r->v + place(r->to), from, first);
	memcpy(r->v, from + first, n - first);
	r->to += n;
	return (int64_t)n;
}

size_t hdl_ring_look(const struct hdl_ring *r, uint64_t offset,
		     struct iovec v[2])
{
	size_t n = (size_t)(r->to - offset), first = straight(offset, n);

	if (n == 0)
		return 0;
	v[0] = (struct iovec){ r->v + place(offset), first };
	v[1] = (struct iovec){ r->v, n - first };
	return n > first ? 2 : 1;
}

size_t hdl_ring_get(struct hdl_ring *r, void *data, size_t n)
{
	struct iovec v[2];
	size_t pieces = hdl_ring_look(r, r->from, v), got = 0;

	for (size_t i = 0; i < pieces && got < n; i++) {
		size_t some = HD_MIN(v[i].iov_len, n - got);

		memcpy((uint8_t *)data + got, v[i].iov_base, some);
		got += some;
	}
	r->from += got;
	return got;
}

void hdl_ring_free(struct hdl_ring *r)
{
	free(r->v);
	r->v = NULL;
}

bool hdl_ring_can_rest(const struct hdl_ring *r)
{
	return r->v != NULL && r->from == r->to;
}

void hdl_ring_rest(struct hdl_ring *r)
{
	if (hdl_ring_can_rest(r))
		hdl_ring_free(r);
}
