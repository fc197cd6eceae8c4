/* SPDX-License-Identifier: MIT */
/* libhd/ring.h - the bytes of a stream between two offsets, in memory that does
 * not move: QUIC sends again from it what was lost.
 *
 *   chunk   n        n + 1      ...            top
 *   |   from#######|##########|####to      |          |
 *                                            spare: chunks that were read
 *
 * Chunks are there from the one of `from` up to `top`. One that is done with
 * becomes the next spare one, or is freed when there are enough: the memory is
 * that of what the ring holds, and a little more. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define HDL_RING_BYTES (8u << 20) /* that it holds, at most */
#define HDL_RING_CHUNK_BYTES (64u << 10)

struct hdl_ring {
	uint8_t **chunks; /* NULL: no memory was needed yet */
	uint64_t from, to; /* offsets in the stream */
	uint64_t top; /* the first chunk that is not there */
};

/* hdl_ring_room - for more behind `to`. hdl_ring_put - as much of n as there is
 * room for. Returns how much; -ENOMEM: all of n, or nothing.
 * hdl_ring_get - copies from the front, and is done with it. Returns how much.
 * hdl_ring_done - with what is before that offset.
 * hdl_ring_look - what is from that offset on, in up to two pieces: all, or
 * more than a chunk. Returns how many. */
size_t hdl_ring_room(const struct hdl_ring *r);
int64_t hdl_ring_put(struct hdl_ring *r, const void *data, size_t n);
size_t hdl_ring_get(struct hdl_ring *r, void *data, size_t n);
void hdl_ring_done(struct hdl_ring *r, uint64_t offset);
size_t hdl_ring_look(const struct hdl_ring *r, uint64_t offset,
		     struct iovec v[2]);
/* hdl_ring_free - its memory. hdl_ring_rest - the same, if it is empty: it is
 * there again when it is needed. hdl_ring_can_rest - whether that has something
 * to give back. */
void hdl_ring_free(struct hdl_ring *r);
void hdl_ring_rest(struct hdl_ring *r);
bool hdl_ring_can_rest(const struct hdl_ring *r);
