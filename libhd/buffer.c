/* SPDX-License-Identifier: MIT */
/* libhd/buffer.c - what waits stands in one piece, and moves to the front when
 * there is no room behind it. An endpoint that is idle has none. */
#include "libhd/buffer.h"
#include <hyper-derp/base.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_BYTES 4096 /* more than that is given back when it is empty */

static size_t size_for(size_t n)
{
	size_t size = 1024;

	while (size < n)
		size *= 2;
	return size;
}

uint8_t *hdl_buf_room(struct hdl_buf *b, size_t n)
{
	if (b->at > 0 && b->at + b->n + n > b->size) {
		memmove(b->v, b->v + b->at, b->n);
		b->at = 0;
	}
	if (b->n + n > b->size) {
		size_t size = size_for(b->n + n);
		uint8_t *v = realloc(b->v, size);

		if (v == NULL)
			return NULL;
		b->v = v;
		b->size = size;
	}
	return b->v + b->at + b->n;
}

void hdl_buf_add(struct hdl_buf *b, size_t n)
{
	hd_assert(b->at + b->n + n <= b->size);
	b->n += n;
}

void hdl_buf_take(struct hdl_buf *b, size_t n)
{
	hd_assert(n <= b->n);
	b->at += n;
	b->n -= n;
	if (b->n > 0)
		return;
	b->at = 0;
	if (b->size > KEPT_BYTES)
		hdl_buf_free(b);
}

void hdl_buf_free(struct hdl_buf *b)
{
	free(b->v);
	*b = (struct hdl_buf){ 0 };
}
