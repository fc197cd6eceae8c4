/* SPDX-License-Identifier: MIT */
/* core/base/slots.c - slots and their generations. */
#include <errno.h>
#include <stdlib.h>
#include "core/base/slots.h"

static int slots_grow(struct hd_slots *t)
{
	uint32_t size = t->size ? 2 * t->size : 64;
	struct hd_slot *v;

	if (t->size > HD_SLOT_MAX / 2)
		return -ENOSPC;
	v = realloc(t->v, size * sizeof(*v));
	if (v == NULL)
		return -ENOMEM;
	t->v = v;
	t->size = size;
	return 0;
}

int hd_slots_add(struct hd_slots *t, void *object, uint32_t *ret_slot,
		 uint32_t *ret_gen)
{
	uint32_t i;

	if (t->free != 0) {
		i = t->free - 1;
		t->free = t->v[i].next_free;
	} else {
		int r = t->n < t->size ? 0 : slots_grow(t);

		if (r < 0)
			return r;
		i = t->n++;
		t->v[i].gen = 0;
	}
	t->v[i].object = object;
	*ret_slot = i;
	*ret_gen = t->v[i].gen;
	return 0;
}

void hd_slots_remove(struct hd_slots *t, uint32_t slot)
{
	struct hd_slot *s = &t->v[slot];

	hd_assert(slot < t->n && s->object != NULL);
	s->object = NULL;
	s->gen++;
	s->next_free = t->free;
	t->free = slot + 1;
}

void hd_slots_free(struct hd_slots *t)
{
	free(t->v);
	*t = (struct hd_slots){ 0 };
}
