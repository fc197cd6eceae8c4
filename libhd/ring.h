/* SPDX-License-Identifier: MIT */
/* libhd/ring.h - the bytes of a stream between two offsets, in memory that does
 * not move: QUIC sends again from it what was lost. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define HDL_RING_BYTES (1u << 20)

struct hdl_ring {
	uint8_t *v; /* NULL: none was needed yet */
	uint64_t from, to; /* offsets in the stream */
};

/* hdl_ring_room - for more behind `to`. hdl_ring_put - as much of n as there is
 * room for. Returns how much; -ENOMEM.
 * hdl_ring_get - copies from the front, and is done with it.
 * hdl_ring_look - what is from that offset on, in up to two pieces. Returns
 * how many. hdl_ring_free - its memory. hdl_ring_rest - the same, if it is
 * empty: it is there again when it is needed. */
size_t hdl_ring_room(const struct hdl_ring *r);
int64_t hdl_ring_put(struct hdl_ring *r, const void *data, size_t n);
size_t hdl_ring_get(struct hdl_ring *r, void *data, size_t n);
size_t hdl_ring_look(const struct hdl_ring *r, uint64_t offset,
		     struct iovec v[2]);
void hdl_ring_free(struct hdl_ring *r);
void hdl_ring_rest(struct hdl_ring *r);
/* hdl_ring_can_rest - whether hdl_ring_rest() has something to give back. */
bool hdl_ring_can_rest(const struct hdl_ring *r);
