/* SPDX-License-Identifier: MIT */
/* core/relay/way.c - the ways of a home: a table of chains, in which those
 * of one key stand in the order in which they came.
 *
 *   up --its key is taken away--> freed
 *   `---its link goes--> no use --its turn in the sweep--> freed
 *
 * When the last one of a key that is up goes, who got packets of it here is
 * told, unless that was only not used any more: away.h. Context: the home
 * worker. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "core/loop/inbox.h"
#include "core/relay/away.h"
#include "core/relay/held.h"
#include "core/relay/relay_worker.h"
#include "core/relay/tenant.h"

/* Places a turn, so that packets do not wait. */
#define SWEEP_MAX 1024

/* ---- the table ---- */

static uint32_t place_of(const struct hd_ways *t, uint32_t hash)
{
	return hash & (t->size - 1);
}

static uint32_t upper(uint64_t hash)
{
	return (uint32_t)(hash >> 32);
}

static bool is_of(const struct hd_way *r, uint32_t hash, uint16_t realm,
		  const struct hd_key *key)
{
	return r->hash == hash && r->realm == realm &&
	       memcmp(&r->key, key, sizeof(*key)) == 0;
}

static struct hd_way *find(const struct hd_ways *t, uint64_t hash,
			   uint16_t realm, const struct hd_key *key)
{
	struct hd_way *r;

	if (t->n == 0)
		return NULL;
	for (r = t->v[place_of(t, upper(hash))]; r != NULL; r = r->next)
		if (is_of(r, upper(hash), realm, key) && hd_link_is_up(r->link))
			return r;
	return NULL;
}

struct hd_link *hd_way_find(const struct hd_ways *t, uint64_t hash,
			    uint16_t realm, const struct hd_key *key)
{
	const struct hd_way *r = find(t, hash, realm, key);

	return r != NULL ? r->link : NULL;
}

struct hd_way *hd_way_take(struct hd_ways *t, uint64_t hash, uint16_t realm,
			   const struct hd_key *key)
{
	struct hd_way *r = find(t, hash, realm, key);

	if (r != NULL)
		r->used = true;
	return r;
}

bool hd_link_used(struct hd_worker *w, uint16_t realm, const struct hd_key *key)
{
	struct hd_way *r =
		find(&w->relay->ways, hd_key_hash(realm, key), realm, key);
	bool used = r != NULL && r->used;

	if (r != NULL)
		r->used = false;
	return used;
}

/* Behind those that are there: the order of one key's stays. */
static void put_last(struct hd_ways *t, struct hd_way *r)
{
	struct hd_way **at = &t->v[place_of(t, r->hash)];

	while (*at != NULL)
		at = &(*at)->next;
	r->next = NULL;
	*at = r;
}

/* What a sweep has gone through stands elsewhere after it. */
static int grow(struct hd_ways *t)
{
	struct hd_ways wide = *t;

	wide.size = t->size != 0 ? 2 * t->size : 64;
	wide.at = 0;
	wide.v = calloc(wide.size, sizeof(*wide.v));
	if (wide.v == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->size; i++)
		for (struct hd_way *r = t->v[i], *next; r != NULL; r = next) {
			next = r->next;
			put_last(&wide, r);
		}
	free(t->v);
	*t = wide;
	return 0;
}

static void way_free(struct hd_way *r)
{
	__atomic_sub_fetch(&r->link->n_keys, 1, __ATOMIC_RELAXED);
	hd_link_put(r->link);
	hd_tenant_drop(hd_realm_tenant(r->realm));
	free(r);
}

/* Takes it out of its chain.
 * @said  its relay has said that the key is there no more */
static void drop(struct hd_worker *w, struct hd_way **at, bool quiet, bool said)
{
	struct hd_way *r = *at;
	uint16_t realm = r->realm;
	struct hd_key key = r->key;

	*at = r->next;
	w->relay->ways.n--;
	w->relay->ways.went++;
	way_free(r);
	if (quiet)
		hd_away_forget(w, realm, &key);
	else
		hd_away_left(w, realm, &key, said);
}

static void show(const struct hd_ways *t, const struct hd_way *r,
		 hd_link_way_fn *fn, void *arg)
{
	uint64_t hash = (uint64_t)r->hash << 32;
	const struct hd_link_way way = {
		.key = &r->key,
		.link = r->link->name,
		.realm = r->realm,
		.preferred = hd_way_find(t, hash, r->realm, &r->key) == r->link,
	};

	if (hd_link_is_up(r->link))
		fn(arg, &way);
}

bool hd_link_ways(struct hd_worker *w, uint64_t *at, unsigned n,
		  hd_link_way_fn *fn, void *arg)
{
	const struct hd_ways *t = &w->relay->ways;

	for (; n > 0 && *at < t->size; n--, ++*at)
		for (const struct hd_way *r = t->v[*at]; r != NULL; r = r->next)
			show(t, r, fn, arg);
	return *at < t->size;
}

/* ---- changes ---- */

static struct hd_way *way_new(struct hd_link *link, uint32_t hash,
			      const struct hd_way_change *c)
{
	struct hd_way *r = malloc(sizeof(*r));

	if (r == NULL)
		return NULL;
	*r = (struct hd_way){
		.link = link, .key = c->key, .hash = hash, .realm = c->realm
	};
	hd_tenant_hold_again(hd_realm_tenant(c->realm));
	__atomic_add_fetch(&link->refs, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&link->n_keys, 1, __ATOMIC_RELAXED);
	return r;
}

/* Where the link's way to a key is, or the end of the chain. */
static struct hd_way **find_of(struct hd_ways *t, const struct hd_link *link,
			       uint32_t hash, const struct hd_way_change *c)
{
	struct hd_way **at = &t->v[place_of(t, hash)];

	while (*at != NULL &&
	       ((*at)->link != link || !is_of(*at, hash, c->realm, &c->key)))
		at = &(*at)->next;
	return at;
}

static int add(struct hd_worker *w, struct hd_link *link, uint64_t hash,
	       const struct hd_way_change *c)
{
	struct hd_ways *t = &w->relay->ways;
	struct hd_way **at, *r;

	if (t->n >= t->size && grow(t) < 0)
		return -ENOMEM;
	at = find_of(t, link, upper(hash), c);
	if (*at != NULL)
		return 0;
	r = way_new(link, upper(hash), c);
	if (r == NULL)
		return -ENOMEM;
	*at = r;
	t->n++;
	hd_away_came(w, hash, c->realm, &c->key);
	hd_held_found(w, hash, c->realm, &c->key);
	return 0;
}

static void del(struct hd_worker *w, const struct hd_link *link, uint64_t hash,
		const struct hd_way_change *c)
{
	struct hd_ways *t = &w->relay->ways;
	struct hd_way **at;

	if (t->n == 0)
		return;
	at = find_of(t, link, upper(hash), c);
	if (*at != NULL)
		drop(w, at, c->quiet, true);
}

void hd_ways_take(struct hd_worker *w, void *batch, void *unused)
{
	struct hd_way_batch *b = batch;
	int r = 0;

	(void)unused;
	for (unsigned i = 0; i < b->n && hd_link_is_up(b->link); i++) {
		const struct hd_way_change *c = &b->v[i];
		uint64_t hash = hd_key_hash(c->realm, &c->key);

		if (c->add)
			r |= add(w, b->link, hash, c);
		else
			del(w, b->link, hash, c);
	}
	if (r < 0)
		__atomic_store_n(&b->link->lost, true, __ATOMIC_RELAXED);
	hd_link_put(b->link);
	free(b);
}

/* ---- the sweep ---- */

static void sweep_place(struct hd_worker *w, struct hd_way **at)
{
	while (*at != NULL) {
		const struct hd_link *link = (*at)->link;

		if (hd_link_is_up(link))
			at = &(*at)->next;
		else
			drop(w, at, hd_link_is_quiet(link), false);
	}
}

/* A turn's share; the next is in the next turn. */
static void sweep_some(struct hd_worker *w, void *unused, void *unused2)
{
	struct hd_ways *t = &w->relay->ways;

	(void)unused;
	(void)unused2;
	for (unsigned n = 0; n < SWEEP_MAX && t->at < t->size; n++)
		sweep_place(w, &t->v[t->at++]);
	if (t->at >= t->size && t->again) {
		t->again = false;
		t->at = 0;
	}
	/* Without memory the rest stays until another link goes: it is of no
	 * use, but takes room. */
	t->sweeping = t->at < t->size &&
		      hd_worker_post(w, sweep_some, NULL, NULL) == 0;
}

void hd_ways_sweep(struct hd_worker *w, void *unused, void *unused2)
{
	struct hd_ways *t = &w->relay->ways;

	if (t->sweeping) {
		t->again = true;
		return;
	}
	t->again = false;
	t->at = 0;
	sweep_some(w, unused, unused2);
}

void hd_ways_free(struct hd_ways *t)
{
	for (uint32_t i = 0; i < t->size; i++)
		for (struct hd_way *r = t->v[i], *next; r != NULL; r = next) {
			next = r->next;
			way_free(r);
		}
	free(t->v);
	*t = (struct hd_ways){ 0 };
}
