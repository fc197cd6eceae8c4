/* SPDX-License-Identifier: MIT */
/* modules/hd/moved.c - see moved.h. A table with open addresses, twice as large
 * as it has to be. Who writes an entry has claimed it; it counts when it is
 * LIVE, and is GONE for ever after that, so that those behind it are found. */
#include "modules/hd/moved.h"
#include <errno.h>
#include <stdlib.h>

enum state { EMPTY, CLAIMED, LIVE, GONE };

struct entry {
	uint32_t id, place;
	uint32_t state; /* atomic */
};

struct hdp_moved {
	unsigned holders; /* atomic */
	size_t mask;
	struct entry v[];
};

struct hdp_moved *hdp_moved_new(size_t n)
{
	size_t size = 16;
	struct hdp_moved *m;

	while (size < 2 * n)
		size *= 2;
	m = calloc(1, sizeof(*m) + size * sizeof(m->v[0]));
	if (m == NULL)
		return NULL;
	m->holders = 1;
	m->mask = size - 1;
	return m;
}

struct hdp_moved *hdp_moved_hold(struct hdp_moved *m)
{
	__atomic_add_fetch(&m->holders, 1, __ATOMIC_RELAXED);
	return m;
}

void hdp_moved_drop(struct hdp_moved *m)
{
	if (m != NULL &&
	    __atomic_sub_fetch(&m->holders, 1, __ATOMIC_ACQ_REL) == 0)
		free(m);
}

static size_t first_of(const struct hdp_moved *m, uint32_t id)
{
	return (size_t)(id * 2654435769u >> 7) & m->mask;
}

/* The entry of that id, in any state; or NULL. */
static struct entry *look(const struct hdp_moved *m, uint32_t id,
			  uint32_t *ret_state)
{
	size_t i = first_of(m, id);

	for (size_t n = 0; n <= m->mask; n++, i = (i + 1) & m->mask) {
		struct entry *e = (struct entry *)&m->v[i];

		*ret_state = __atomic_load_n(&e->state, __ATOMIC_ACQUIRE);
		if (*ret_state == EMPTY)
			return NULL;
		if (*ret_state >= LIVE && e->id == id)
			return e;
	}
	return NULL;
}

int hdp_moved_add(struct hdp_moved *m, uint32_t id, uint32_t place)
{
	size_t i = first_of(m, id);
	uint32_t unused;

	if (look(m, id, &unused) != NULL)
		return -EEXIST;
	for (size_t n = 0; n <= m->mask; n++, i = (i + 1) & m->mask) {
		struct entry *e = &m->v[i];
		uint32_t empty = EMPTY;

		if (!__atomic_compare_exchange_n(&e->state, &empty, CLAIMED,
						 false, __ATOMIC_ACQUIRE,
						 __ATOMIC_RELAXED))
			continue;
		e->id = id;
		e->place = place;
		__atomic_store_n(&e->state, LIVE, __ATOMIC_RELEASE);
		return 0;
	}
	return -ENOSPC;
}

bool hdp_moved_find(const struct hdp_moved *m, uint32_t id, uint32_t *ret_place)
{
	uint32_t state;
	const struct entry *e = m != NULL ? look(m, id, &state) : NULL;

	if (e == NULL || state != LIVE)
		return false;
	*ret_place = e->place;
	return true;
}

void hdp_moved_remove(struct hdp_moved *m, uint32_t id)
{
	uint32_t state;
	struct entry *e = look(m, id, &state);

	if (e != NULL)
		__atomic_store_n(&e->state, GONE, __ATOMIC_RELEASE);
}
