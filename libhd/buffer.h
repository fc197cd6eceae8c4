/* SPDX-License-Identifier: MIT */
/* libhd/buffer.h - bytes that wait: put behind the end, taken from
 * the front. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct hdl_buf {
	uint8_t *v;
	size_t at, n, size; /* n bytes wait at v + at */
};

/* hdl_buf_room - room for n more behind those that wait; they may move.
 * Returns where it is; NULL: no memory. hdl_buf_add - n of it are used now.
 * hdl_buf_take - n from the front are done with; memory goes with the last. */
uint8_t *hdl_buf_room(struct hdl_buf *b, size_t n);
void hdl_buf_add(struct hdl_buf *b, size_t n);
void hdl_buf_take(struct hdl_buf *b, size_t n);
/* hdl_buf_free - all of it. */
void hdl_buf_free(struct hdl_buf *b);

static inline const uint8_t *hdl_buf_front(const struct hdl_buf *b)
{
	return b->v + b->at;
}
