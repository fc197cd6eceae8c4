/* SPDX-License-Identifier: MIT */
/* core/base/memo.c - what is remembered of many, each for a while. */
#include "core/base/memo.h"
#include <errno.h>
#include <stdlib.h>
#include "core/base/key.h"

#define PLACES 1024 /* a power of two */

static struct hd_memo **place_of(const struct hd_memos *all, uint16_t realm,
				 const struct hd_key *id)
{
	return &all->v[hd_key_hash(realm, id) & (PLACES - 1)];
}

struct hd_memo *hd_memo_find(const struct hd_memos *all, uint16_t realm,
			     const struct hd_key *id)
{
	struct hd_memo *m = all->v != NULL ? *place_of(all, realm, id) : NULL;

	while (m != NULL && (m->realm != realm || !hd_key_same(&m->id, id)))
		m = m->next;
	return m;
}

int hd_memo_add(struct hd_memos *all, struct hd_memo *m, uint16_t realm,
		const struct hd_key *id)
{
	struct hd_memo **place;

	if (all->v == NULL)
		all->v = calloc(PLACES, sizeof(*all->v));
	if (all->v == NULL)
		return -ENOMEM;
	m->id = *id;
	m->realm = realm;
	m->until = (struct hd_heap_node){ 0 };
	place = place_of(all, realm, id);
	m->next = *place;
	*place = m;
	return 0;
}

void hd_memo_hold(struct hd_memos *all, struct hd_memo *m)
{
	hd_heap_remove(&all->kept, &m->until);
}

void hd_memo_take(struct hd_memos *all, struct hd_memo *m)
{
	struct hd_memo **at = place_of(all, m->realm, &m->id);

	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	m->next = NULL;
	hd_memo_hold(all, m);
}

/* Whose time is over first. */
static struct hd_memo *first_of(struct hd_memos *all)
{
	struct hd_memo *m =
		hd_container_of(all->kept.v[0], struct hd_memo, until);

	hd_memo_take(all, m);
	return m;
}

struct hd_memo *hd_memo_keep(struct hd_memos *all, struct hd_memo *m,
			     uint64_t until_ms)
{
	if (hd_heap_set(&all->kept, &m->until, until_ms) < 0) {
		hd_memo_take(all, m);
		return m;
	}
	return all->kept.n > all->max ? first_of(all) : NULL;
}

struct hd_memo *hd_memo_over(struct hd_memos *all, uint64_t now_ms)
{
	return hd_heap_next_ms(&all->kept) <= now_ms && all->kept.n > 0
		       ? first_of(all)
		       : NULL;
}

void hd_memos_free(struct hd_memos *all)
{
	hd_assert(all->kept.n == 0);
	hd_heap_free(&all->kept);
	free(all->v);
	all->v = NULL;
}
