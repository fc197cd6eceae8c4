/* SPDX-License-Identifier: MIT */
/* core/base/slots.h - numbers for objects that completions name: a slot and a
 * generation, which a late completion of an earlier object does not match.
 * Context: one worker. */
#pragma once
#include <hyper-derp/base.h>

#define HD_SLOT_BITS 24 /* core/loop/tag.h */
#define HD_SLOT_MAX ((1u << HD_SLOT_BITS) - 1)

struct hd_slots {
	struct hd_slot {
		void *object;
		uint32_t gen;
		uint32_t next_free;
	} *v;
	uint32_t n, size, free; /* free: 1 + the first free slot, 0: none */
};

/* hd_slots_add - returns 0; -ENOMEM; -ENOSPC more than 2^24. */
int hd_slots_add(struct hd_slots *t, void *object, uint32_t *ret_slot,
		 uint32_t *ret_gen);
void hd_slots_remove(struct hd_slots *t, uint32_t slot);
void hd_slots_free(struct hd_slots *t);

/* The object, or NULL: the completion is late. */
static inline void *hd_slots_get(const struct hd_slots *t, uint32_t slot,
				 uint32_t gen)
{
	return slot < t->n && t->v[slot].gen == gen ? t->v[slot].object : NULL;
}

/* Who has the slot now, whoever that is; NULL: nobody. */
static inline void *hd_slots_at(const struct hd_slots *t, uint32_t slot)
{
	return slot < t->n ? t->v[slot].object : NULL;
}
