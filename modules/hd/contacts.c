/* SPDX-License-Identifier: MIT */
/* modules/hd/contacts.c - an array of slots, which handles name, and their
 * numbers in the order of keys, which is searched. A stranger chooses the keys
 * that are looked up: in a sorted array nothing can be made to collide. */
#include "modules/hd/contacts.h"
#include <errno.h>
#include <hyper-derp/hd.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 4
#define TOLD_PER_S 8

static uint32_t handle_of(const struct hdp_contacts *c, uint32_t slot)
{
	return (uint32_t)c->v[slot].generation << 16 | slot;
}

/* Returns the place in order of the first key that is not less. */
static uint32_t place_of(const struct hdp_contacts *c, const struct hd_key *key)
{
	uint32_t lo = 0, hi = c->n;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (memcmp(&c->v[c->order[mid]].key, key, sizeof(*key)) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool is_at(const struct hdp_contacts *c, uint32_t place,
		  const struct hd_key *key)
{
	return place < c->n &&
	       memcmp(&c->v[c->order[place]].key, key, sizeof(*key)) == 0;
}

uint32_t hdp_contacts_find(struct hdp_contacts *c, const struct hd_key *key)
{
	uint32_t place;

	if (c->n == 0)
		return HDP_NO_HANDLE;
	if (c->v[c->last].used &&
	    memcmp(&c->v[c->last].key, key, sizeof(*key)) == 0)
		return handle_of(c, c->last);
	place = place_of(c, key);
	if (!is_at(c, place, key))
		return HDP_NO_HANDLE;
	c->last = c->order[place];
	return handle_of(c, c->last);
}

struct hdp_contact *hdp_contacts_at(struct hdp_contacts *c, uint32_t handle)
{
	uint32_t slot = handle & 0xffff;

	if (slot >= c->n_slots || !c->v[slot].used ||
	    c->v[slot].generation != handle >> 16)
		return NULL;
	return &c->v[slot];
}

static int grow(struct hdp_contacts *c)
{
	uint32_t cap =
		c->cap == 0 ? FIRST_SLOTS : HD_MIN(2 * c->cap, HDP_SLOTS_MAX);
	struct hdp_contact *v;
	uint16_t *order;

	v = realloc(c->v, cap * sizeof(*v));
	if (v == NULL)
		return -ENOMEM;
	c->v = v;
	order = realloc(c->order, cap * sizeof(*order));
	if (order == NULL)
		return -ENOMEM;
	c->order = order;
	c->cap = cap;
	return 0;
}

static int take_slot(struct hdp_contacts *c, uint32_t *ret_slot)
{
	if (c->first_free != 0) {
		*ret_slot = c->first_free - 1;
		c->first_free = c->v[*ret_slot].next_free;
		return 0;
	}
	if (c->n_slots == HDP_SLOTS_MAX)
		return -ENOSPC;
	if (c->n_slots == c->cap && grow(c) < 0)
		return -ENOMEM;
	*ret_slot = c->n_slots++;
	c->v[*ret_slot].generation = 0;
	return 0;
}

int hdp_contacts_allow(struct hdp_contacts *c, const struct hd_key *key,
		       uint32_t max, uint32_t *ret_handle)
{
	uint32_t place = place_of(c, key), slot;
	int r;

	if (is_at(c, place, key)) {
		*ret_handle = handle_of(c, c->order[place]);
		return 1;
	}
	if (c->n >= max)
		return -ENOSPC;
	r = take_slot(c, &slot);
	if (r < 0)
		return r;
	memmove(c->order + place + 1, c->order + place,
		(c->n - place) * sizeof(*c->order));
	c->order[place] = (uint16_t)slot;
	c->n++;
	c->v[slot] = (struct hdp_contact){
		.key = *key,
		.generation = c->v[slot].generation,
		.used = true,
	};
	*ret_handle = handle_of(c, slot);
	return 0;
}

bool hdp_contacts_forbid(struct hdp_contacts *c, uint32_t handle)
{
	struct hdp_contact *contact = hdp_contacts_at(c, handle);
	uint32_t slot = handle & 0xffff, place;

	if (contact == NULL)
		return false;
	place = place_of(c, &contact->key);
	c->n--;
	memmove(c->order + place, c->order + place + 1,
		(c->n - place) * sizeof(*c->order));
	contact->used = false;
	if (contact->generation == UINT16_MAX)
		return true; /* it has been everybody it can be */
	contact->generation++;
	contact->next_free = (uint16_t)c->first_free;
	c->first_free = slot + 1;
	return true;
}

bool hdp_contacts_tell(struct hdp_contacts *c, uint32_t handle, uint64_t now_s)
{
	struct hdp_contact *contact = hdp_contacts_at(c, handle);

	if (contact == NULL)
		return false;
	if (contact->told_s != (uint16_t)now_s) {
		contact->told_s = (uint16_t)now_s;
		contact->told_n = 0;
	}
	if (contact->told_n == TOLD_PER_S)
		return false;
	contact->told_n++;
	return true;
}

void hdp_contacts_clear(struct hdp_contacts *c)
{
	free(c->v);
	free(c->order);
	memset(c, 0, sizeof(*c));
}

/* ---- to another process: for each slot 32 key, 2 generation, the lower byte
 * first, 1 used ---- */

enum { SLOT_BYTES = HD_KEY_BYTES + 3 };

size_t hdp_contacts_bytes(const struct hdp_contacts *c)
{
	return (size_t)c->n_slots * SLOT_BYTES;
}

void hdp_contacts_write(const struct hdp_contacts *c, uint8_t *to)
{
	for (uint32_t i = 0; i < c->n_slots; i++, to += SLOT_BYTES) {
		memcpy(to, &c->v[i].key, HD_KEY_BYTES);
		to[HD_KEY_BYTES] = (uint8_t)c->v[i].generation;
		to[HD_KEY_BYTES + 1] = (uint8_t)(c->v[i].generation >> 8);
		to[HD_KEY_BYTES + 2] = c->v[i].used;
	}
}

/* Of the last generation nobody knows whether it has been used: it is not used
 * again. */
static void read_slot(struct hdp_contacts *c, uint32_t slot, const uint8_t *p)
{
	struct hdp_contact *x = &c->v[slot];

	*x = (struct hdp_contact){
		.generation = (uint16_t)(p[HD_KEY_BYTES] |
					 p[HD_KEY_BYTES + 1] << 8),
		.used = p[HD_KEY_BYTES + 2] != 0,
	};
	memcpy(&x->key, p, HD_KEY_BYTES);
	if (x->used) {
		c->order[c->n++] = (uint16_t)slot;
	} else if (x->generation != UINT16_MAX) {
		x->next_free = (uint16_t)c->first_free;
		c->first_free = slot + 1;
	}
}

static int by_key(const void *a, const void *b, void *arg)
{
	const struct hdp_contact *v = arg;

	return memcmp(&v[*(const uint16_t *)a].key,
		      &v[*(const uint16_t *)b].key, HD_KEY_BYTES);
}

static bool has_twice(const struct hdp_contacts *c)
{
	for (uint32_t i = 1; i < c->n; i++)
		if (by_key(&c->order[i - 1], &c->order[i], c->v) == 0)
			return true;
	return false;
}

int hdp_contacts_read(struct hdp_contacts *c, const uint8_t *p, size_t n)
{
	size_t slots = n / SLOT_BYTES;

	memset(c, 0, sizeof(*c));
	if (n % SLOT_BYTES != 0 || slots > HDP_SLOTS_MAX)
		return -EBADMSG;
	if (slots == 0)
		return 0;
	c->v = calloc(slots, sizeof(*c->v));
	c->order = calloc(slots, sizeof(*c->order));
	if (c->v == NULL || c->order == NULL) {
		hdp_contacts_clear(c);
		return -ENOMEM;
	}
	c->cap = c->n_slots = (uint32_t)slots;
	for (uint32_t i = 0; i < c->n_slots; i++)
		read_slot(c, i, p + (size_t)i * SLOT_BYTES);
	qsort_r(c->order, c->n, sizeof(*c->order), by_key, c->v);
	if (!has_twice(c))
		return 0;
	hdp_contacts_clear(c);
	return -EBADMSG;
}
