/* SPDX-License-Identifier: MIT */
/* core/base/heap.h - deadlines of a worker: a binary heap of embedded nodes. */
#pragma once
#include <hyper-derp/base.h>

struct hd_heap_node {
	uint64_t when_ms;
	uint32_t at; /* position + 1; 0: not in the heap */
};

struct hd_heap {
	struct hd_heap_node **v;
	uint32_t n, size, promised;
};

/* hd_heap_set - insert or move. Returns 0; -ENOMEM, not when room was promised.
 * hd_heap_promise - room for one node more, whether it is set or not, until
 * hd_heap_unpromise(). Returns 0; -ENOMEM. */
int hd_heap_set(struct hd_heap *h, struct hd_heap_node *node, uint64_t when_ms);
int hd_heap_promise(struct hd_heap *h);
void hd_heap_unpromise(struct hd_heap *h);
void hd_heap_remove(struct hd_heap *h, struct hd_heap_node *node);
/* hd_heap_take - the earliest node; NULL: none. */
struct hd_heap_node *hd_heap_take(struct hd_heap *h);
/* hd_heap_next_ms - when the earliest is due; UINT64_MAX: none. */
static inline uint64_t hd_heap_next_ms(const struct hd_heap *h)
{
	return h->n == 0 ? UINT64_MAX : h->v[0]->when_ms;
}
/* hd_heap_pop - the same, if it is due, else NULL. Asked in each turn. */
static inline struct hd_heap_node *hd_heap_pop(struct hd_heap *h,
					       uint64_t now_ms)
{
	return hd_heap_next_ms(h) <= now_ms ? hd_heap_take(h) : NULL;
}
void hd_heap_free(struct hd_heap *h);
