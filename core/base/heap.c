/* SPDX-License-Identifier: MIT */
/* core/base/heap.c - a binary heap of embedded nodes, earliest first. */
#include <errno.h>
#include <stdlib.h>
#include "core/base/heap.h"

static void put_at(struct hd_heap *h, uint32_t i, struct hd_heap_node *node)
{
	h->v[i] = node;
	node->at = i + 1;
}

static void sift_up(struct hd_heap *h, uint32_t i, struct hd_heap_node *node)
{
	while (i > 0) {
		uint32_t parent = (i - 1) / 2;

		if (h->v[parent]->when_ms <= node->when_ms)
			break;
		put_at(h, i, h->v[parent]);
		i = parent;
	}
	put_at(h, i, node);
}

static void sift_down(struct hd_heap *h, uint32_t i, struct hd_heap_node *node)
{
	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= h->n)
			break;
		if (child + 1 < h->n &&
		    h->v[child + 1]->when_ms < h->v[child]->when_ms)
			child++;
		if (node->when_ms <= h->v[child]->when_ms)
			break;
		put_at(h, i, h->v[child]);
		i = child;
	}
	put_at(h, i, node);
}

static int grow(struct hd_heap *h)
{
	uint32_t size = h->size ? 2 * h->size : 64;
	struct hd_heap_node **v = realloc(h->v, size * sizeof(*v));

	if (v == NULL)
		return -ENOMEM;
	h->v = v;
	h->size = size;
	return 0;
}

int hd_heap_promise(struct hd_heap *h)
{
	while (h->promised >= h->size)
		if (grow(h) < 0)
			return -ENOMEM;
	h->promised++;
	return 0;
}

void hd_heap_unpromise(struct hd_heap *h)
{
	hd_assert(h->promised > 0);
	h->promised--;
}

int hd_heap_set(struct hd_heap *h, struct hd_heap_node *node, uint64_t when_ms)
{
	if (node->at == 0) {
		if (h->n == h->size && grow(h) < 0)
			return -ENOMEM;
		node->when_ms = when_ms;
		sift_up(h, h->n++, node);
		return 0;
	}
	bool later = when_ms > node->when_ms;

	node->when_ms = when_ms;
	if (later)
		sift_down(h, node->at - 1, node);
	else
		sift_up(h, node->at - 1, node);
	return 0;
}

void hd_heap_remove(struct hd_heap *h, struct hd_heap_node *node)
{
	if (node->at == 0)
		return;
	uint32_t i = node->at - 1;
	struct hd_heap_node *last = h->v[--h->n];

	node->at = 0;
	if (last == node)
		return;
	if (i > 0 && h->v[(i - 1) / 2]->when_ms > last->when_ms)
		sift_up(h, i, last);
	else
		sift_down(h, i, last);
}

struct hd_heap_node *hd_heap_take(struct hd_heap *h)
{
	struct hd_heap_node *node = h->n > 0 ? h->v[0] : NULL;

	if (node != NULL)
		hd_heap_remove(h, node);
	return node;
}

void hd_heap_free(struct hd_heap *h)
{
	free(h->v);
	*h = (struct hd_heap){ .promised = h->promised };
}
