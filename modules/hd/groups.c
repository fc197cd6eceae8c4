/* SPDX-License-Identifier: MIT */
/* modules/hd/groups.c - see groups.h. Groups are in the order of their ids; who
 * is in one is in no order. */
#include "modules/hd/groups.h"
#include <errno.h>
#include <hyper-derp/hd.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct member {
	struct hd_key key;
	uint32_t connections;
};

struct group { /* while somebody is in it */
	struct hdp_group id;
	uint16_t realm;
	uint32_t n, cap;
	struct member *v;
};

struct hdp_groups {
	pthread_mutex_t lock;
	unsigned holders; /* atomic */
	size_t n, cap;
	struct group *v;
};

struct hdp_groups *hdp_groups_new(void)
{
	struct hdp_groups *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	pthread_mutex_init(&g->lock, NULL);
	g->holders = 1;
	return g;
}

struct hdp_groups *hdp_groups_hold(struct hdp_groups *g)
{
	__atomic_add_fetch(&g->holders, 1, __ATOMIC_RELAXED);
	return g;
}

void hdp_groups_drop(struct hdp_groups *g)
{
	if (g == NULL ||
	    __atomic_sub_fetch(&g->holders, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (size_t i = 0; i < g->n; i++)
		free(g->v[i].v);
	free(g->v);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

struct hdp_group hdp_group_of(const uint8_t *operator_identity,
			      const uint8_t *name, size_t n)
{
	static const uint8_t label[] = "HD/2 group";
	crypto_generichash_state hash;
	struct hdp_group group;

	crypto_generichash_init(&hash, NULL, 0, sizeof(group.id));
	crypto_generichash_update(&hash, label, sizeof(label));
	crypto_generichash_update(&hash, operator_identity, HD_KEY_BYTES);
	crypto_generichash_update(&hash, name, n);
	crypto_generichash_final(&hash, group.id, sizeof(group.id));
	return group;
}

bool hdp_group_is(const struct hdp_group *a, const struct hdp_group *b)
{
	return memcmp(a->id, b->id, sizeof(a->id)) == 0;
}

bool hdp_group_is_none(const struct hdp_group *a)
{
	return sodium_is_zero(a->id, sizeof(a->id)) != 0;
}

/* ---- with the lock ---- */

static int order(const struct group *a, const struct hdp_group *id,
		 uint16_t realm)
{
	int r = memcmp(a->id.id, id->id, sizeof(id->id));

	return r != 0 ? r : (int)a->realm - (int)realm;
}

/* Returns the place of the first that is not less. */
static size_t place_of(const struct hdp_groups *g, const struct hdp_group *id,
		       uint16_t realm)
{
	size_t lo = 0, hi = g->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (order(&g->v[mid], id, realm) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct group *find(const struct hdp_groups *g,
			  const struct hdp_group *id, uint16_t realm)
{
	size_t at = place_of(g, id, realm);

	return at < g->n && order(&g->v[at], id, realm) == 0 ? &g->v[at] : NULL;
}

static struct group *make(struct hdp_groups *g, const struct hdp_group *id,
			  uint16_t realm)
{
	size_t at = place_of(g, id, realm);

	if (g->n == g->cap) {
		size_t cap = 2 * g->cap + 4;
		struct group *v = realloc(g->v, cap * sizeof(*v));

		if (v == NULL)
			return NULL;
		g->v = v;
		g->cap = cap;
	}
	memmove(g->v + at + 1, g->v + at, (g->n - at) * sizeof(*g->v));
	g->n++;
	g->v[at] = (struct group){ .id = *id, .realm = realm };
	return &g->v[at];
}

static void remove_group(struct hdp_groups *g, struct group *group)
{
	size_t at = (size_t)(group - g->v);

	free(group->v);
	g->n--;
	memmove(g->v + at, g->v + at + 1, (g->n - at) * sizeof(*g->v));
}

static struct member *member_of(const struct group *group,
				const struct hd_key *key)
{
	for (uint32_t i = 0; i < group->n; i++)
		if (memcmp(&group->v[i].key, key, sizeof(*key)) == 0)
			return &group->v[i];
	return NULL;
}

static int add(struct group *group, const struct hd_key *key)
{
	if (group->n == HDP_GROUP_MEMBERS_MAX)
		return -ENOSPC;
	if (group->n == group->cap) {
		uint32_t cap = 2 * group->cap + 4;
		struct member *v = realloc(group->v, cap * sizeof(*v));

		if (v == NULL)
			return -ENOMEM;
		group->v = v;
		group->cap = cap;
	}
	group->v[group->n++] = (struct member){ *key, 1 };
	return 0;
}

static int join(struct hdp_groups *g, const struct hdp_group *id,
		uint16_t realm, const struct hd_key *key)
{
	struct group *group = find(g, id, realm);
	struct member *m = group != NULL ? member_of(group, key) : NULL;
	int r;

	if (m != NULL) {
		m->connections++;
		return 0;
	}
	if (group == NULL)
		group = make(g, id, realm);
	if (group == NULL)
		return -ENOMEM;
	r = add(group, key);
	if (group->n == 0)
		remove_group(g, group);
	return r;
}

/* ---- any thread ---- */

int hdp_groups_join(struct hdp_groups *g, const struct hdp_group *group,
		    uint16_t realm, const struct hd_key *key)
{
	int r;

	pthread_mutex_lock(&g->lock);
	r = join(g, group, realm, key);
	pthread_mutex_unlock(&g->lock);
	return r;
}

void hdp_groups_leave(struct hdp_groups *g, const struct hdp_group *id,
		      uint16_t realm, const struct hd_key *key)
{
	struct group *group;
	struct member *m;

	pthread_mutex_lock(&g->lock);
	group = find(g, id, realm);
	m = group != NULL ? member_of(group, key) : NULL;
	if (m != NULL && --m->connections == 0) {
		*m = group->v[--group->n];
		if (group->n == 0)
			remove_group(g, group);
	}
	pthread_mutex_unlock(&g->lock);
}

size_t hdp_groups_members(struct hdp_groups *g, const struct hdp_group *id,
			  uint16_t realm,
			  struct hd_key to[HDP_GROUP_MEMBERS_MAX])
{
	const struct group *group;
	size_t n = 0;

	pthread_mutex_lock(&g->lock);
	group = find(g, id, realm);
	for (; group != NULL && n < group->n; n++)
		to[n] = group->v[n].key;
	pthread_mutex_unlock(&g->lock);
	return n;
}

/* ---- of one client ---- */

/* More than a worker needs for a copy: 3 us with the bridge, whose MACs are
 * made and looked at. So one client's are not all that it does, and hold others
 * up for less than so long at once. */
enum { COPY_US = 8, COPY_KIB_US = 4, AT_ONCE_US = 20000 };
_Static_assert((1 + HDP_GROUP_MEMBERS_MAX) *
			       (COPY_US +
				COPY_KIB_US * HDP_GROUP_PACKET_MAX_BYTES /
					1024) <=
		       AT_ONCE_US,
	       "the largest packet reaches all of a group");

bool hdp_copies_take(struct hdp_copies *c, uint64_t now_ms, uint32_t n)
{
	uint64_t now_us = 1000 * now_ms;
	uint64_t cost_us = COPY_US + COPY_KIB_US * ((uint64_t)n / 1024);

	c->paid_us = HD_MAX(c->paid_us, now_us);
	if (c->paid_us + cost_us > now_us + AT_ONCE_US)
		return false;
	c->paid_us += cost_us;
	return true;
}
