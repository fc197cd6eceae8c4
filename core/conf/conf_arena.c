/* SPDX-License-Identifier: MIT */
/* core/conf/conf_arena.c - memory that is freed all at once. */
#include "core/conf/conf_node.h"
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 8192

struct hd_arena_block {
	struct hd_arena_block *next;
	size_t used, size;
	alignas(max_align_t) char data[];
};

static struct hd_arena_block *block_new(struct hd_arena *arena, size_t n)
{
	size_t size = HD_MAX(n, (size_t)BLOCK_BYTES);
	struct hd_arena_block *b = calloc(1, sizeof(*b) + size);

	if (b == NULL)
		return NULL;
	b->size = size;
	b->next = arena->first;
	arena->first = b;
	return b;
}

void *hd_arena_alloc(struct hd_arena *arena, size_t n)
{
	struct hd_arena_block *b = arena->first;
	void *p;

	n = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (b == NULL || b->size - b->used < n)
		b = block_new(arena, n);
	if (b == NULL)
		return NULL;
	p = b->data + b->used;
	b->used += n;
	return p;
}

const char *hd_arena_text(struct hd_arena *arena, const char *s, size_t n)
{
	char *p = hd_arena_alloc(arena, n + 1);

	return p == NULL ? NULL : memcpy(p, s, n);
}

const char *hd_arena_printf(struct hd_arena *arena, const char *fmt, ...)
{
	char *text = NULL;
	const char *copy;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return NULL;
	copy = hd_arena_text(arena, text, (size_t)n);
	free(text);
	return copy;
}

void hd_arena_free(struct hd_arena *arena)
{
	while (arena->first != NULL) {
		struct hd_arena_block *next = arena->first->next;

		free(arena->first);
		arena->first = next;
	}
}
