/* SPDX-License-Identifier: MIT */
/* core/base/chunk.c - buffers from a pool, last in first out: what was touched
 * last is still in the cache. */
#include <stdlib.h>
#include "core/base/chunk.h"
#include <hyper-derp/stream.h>

/* A few frames; a full record; the largest frame. What is idle beyond the
 * limit goes back to malloc. */
static const struct chunk_class {
	uint32_t bytes, max_idle;
} classes[HD_CHUNK_CLASSES] = {
	{ 2048, 512 },
	{ HD_CHUNK_BYTES, 128 },
	{ HD_FRAME_MAX_BYTES, 8 },
};

static unsigned class_for(size_t n)
{
	unsigned k = 0;

	while (k < HD_CHUNK_CLASSES && classes[k].bytes < n)
		k++;
	return k;
}

static struct hd_chunk *chunk_alloc(size_t bytes)
{
	return malloc(sizeof(struct hd_chunk) + HD_CHUNK_HEADROOM_BYTES +
		      bytes + HD_CHUNK_TAILROOM_BYTES);
}

struct hd_chunk *hd_chunk_new(struct hd_chunk_pool *pool, size_t n)
{
	unsigned k = class_for(n);
	size_t bytes = k < HD_CHUNK_CLASSES ? classes[k].bytes : n;
	struct hd_chunk *c;

	if (k < HD_CHUNK_CLASSES && pool->idle[k] != NULL) {
		c = pool->idle[k];
		pool->idle[k] = c->next;
		pool->n_idle[k]--;
	} else {
		c = chunk_alloc(bytes);
		if (c == NULL)
			return NULL;
	}
	c->next = NULL;
	c->head = c->tail = HD_CHUNK_HEADROOM_BYTES;
	c->cap = HD_CHUNK_HEADROOM_BYTES + (uint32_t)bytes;
	c->frames = 0;
	c->klass = (uint8_t)k;
	c->raw = false;
	return c;
}

void hd_chunk_put(struct hd_chunk_pool *pool, struct hd_chunk **chunk)
{
	struct hd_chunk *c = hd_steal(chunk);

	if (c == NULL)
		return;
	if (c->klass >= HD_CHUNK_CLASSES ||
	    pool->n_idle[c->klass] >= classes[c->klass].max_idle) {
		free(c);
		return;
	}
	c->next = pool->idle[c->klass];
	pool->idle[c->klass] = c;
	pool->n_idle[c->klass]++;
}

void hd_chunk_pool_free(struct hd_chunk_pool *pool)
{
	for (unsigned k = 0; k < HD_CHUNK_CLASSES; k++) {
		while (pool->idle[k] != NULL) {
			struct hd_chunk *c = pool->idle[k];

			pool->idle[k] = c->next;
			free(c);
		}
		pool->n_idle[k] = 0;
	}
}

void hd_queue_push(struct hd_queue *q, struct hd_chunk *chunk)
{
	chunk->next = NULL;
	if (q->last != NULL)
		q->last->next = chunk;
	else
		q->first = chunk;
	q->last = chunk;
	q->bytes += hd_chunk_len(chunk);
	q->frames += chunk->frames;
}

struct hd_chunk *hd_queue_pop(struct hd_queue *q)
{
	struct hd_chunk *c = q->first;

	if (c == NULL)
		return NULL;
	q->first = c->next;
	if (q->first == NULL)
		q->last = NULL;
	q->bytes -= hd_chunk_len(c);
	q->frames -= c->frames;
	c->next = NULL;
	return c;
}

void hd_queue_append(struct hd_queue *q, struct hd_queue *from)
{
	if (from->first == NULL)
		return;
	if (q->last != NULL)
		q->last->next = from->first;
	else
		q->first = from->first;
	q->last = from->last;
	q->bytes += from->bytes;
	q->frames += from->frames;
	*from = (struct hd_queue){ 0 };
}

void hd_queue_clear(struct hd_chunk_pool *pool, struct hd_queue *q)
{
	struct hd_chunk *c;

	while ((c = hd_queue_pop(q)) != NULL)
		hd_chunk_put(pool, &c);
}

void hd_queue_consume(struct hd_chunk_pool *pool, struct hd_queue *q, size_t n)
{
	while (n > 0) {
		struct hd_chunk *c = q->first;

		hd_assert(c != NULL);
		if (n < hd_chunk_len(c)) {
			c->head += (uint32_t)n;
			q->bytes -= (uint32_t)n;
			return;
		}
		n -= hd_chunk_len(c);
		hd_queue_pop(q);
		hd_chunk_put(pool, &c);
	}
}
