/* SPDX-License-Identifier: MIT */
/* core/base/chunk.h - buffers: chunks of whole frames from a per-worker pool of
 * sizes, and queues of them. Context: one worker; a chunk may be put into
 * another worker's pool than it came from. */
#pragma once
#include <hyper-derp/base.h>

/* Room before the frames for a WebSocket head and a TLS record head, and
 * behind them for a record's content type and tag: sealing needs no copy. */
#define HD_CHUNK_HEADROOM_BYTES 16
#define HD_CHUNK_TAILROOM_BYTES 32
#define HD_CHUNK_BYTES 16384 /* a full TLS record */

struct hd_chunk {
	struct hd_chunk *next;
	uint32_t head, tail; /* data[head, tail) is queued */
	uint32_t cap;        /* frames may reach data[cap) */
	uint16_t frames;
	uint8_t klass; /* its size class, core/base/chunk.c */
	bool raw;      /* not to be framed by WebSocket */
	uint8_t data[];
};

struct hd_queue {
	struct hd_chunk *first, *last;
	uint32_t bytes, frames;
};

#define HD_CHUNK_CLASSES 3 /* pooled; larger ones come from malloc */

struct hd_chunk_pool {
	struct hd_chunk *idle[HD_CHUNK_CLASSES];
	uint32_t n_idle[HD_CHUNK_CLASSES];
};

/* hd_chunk_new - an empty chunk with room for at least n bytes of frames.
 * Returns NULL when out of memory. */
struct hd_chunk *hd_chunk_new(struct hd_chunk_pool *pool, size_t n);
void hd_chunk_put(struct hd_chunk_pool *pool, struct hd_chunk **chunk);
void hd_chunk_pool_free(struct hd_chunk_pool *pool);

void hd_queue_push(struct hd_queue *q, struct hd_chunk *chunk);
struct hd_chunk *hd_queue_pop(struct hd_queue *q);
/* hd_queue_append - all of `from` goes behind q. */
void hd_queue_append(struct hd_queue *q, struct hd_queue *from);
void hd_queue_clear(struct hd_chunk_pool *pool, struct hd_queue *q);
/* hd_queue_consume - n bytes have left. */
void hd_queue_consume(struct hd_chunk_pool *pool, struct hd_queue *q, size_t n);

static inline size_t hd_chunk_len(const struct hd_chunk *chunk)
{
	return chunk->tail - chunk->head;
}

static inline size_t hd_chunk_room(const struct hd_chunk *chunk)
{
	return chunk->cap - chunk->tail;
}
