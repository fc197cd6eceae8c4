/* SPDX-License-Identifier: MIT */
/* modules/wg/peers.c - who is registered, and who may talk to whom. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include "modules/wg/state.h"

struct wg_peer *wg_peer(const struct wg_engine *e, uint32_t id)
{
	return wg_pool_at(&e->peers, id);
}

struct wg_link *wg_link(const struct wg_engine *e, uint32_t id)
{
	return wg_pool_at(&e->links, id);
}

static uint32_t hash_bytes(const struct wg_engine *e, const void *p, size_t n)
{
	uint64_t h = e->hash.v[2] ^ n, word;
	const uint8_t *b = p;

	for (; n > 0; b += sizeof(word)) {
		size_t some = HD_MIN(n, sizeof(word));

		word = 0;
		memcpy(&word, b, some);
		h = wg_mix(h ^ word, e->hash.v[0]);
		n -= some;
	}
	return (uint32_t)h;
}

static uint32_t hash_name(const struct wg_engine *e, const char *name)
{
	return hash_bytes(e, name, strlen(name));
}

static uint32_t hash_key(const struct wg_engine *e, const uint8_t *key)
{
	return hash_bytes(e, key, WG_KEY_BYTES);
}

static uint32_t hash_pair(const struct wg_engine *e, uint32_t a, uint32_t b)
{
	return wg_hash_u64(&e->hash, (uint64_t)HD_MIN(a, b) << 32 |
					     HD_MAX(a, b));
}

struct wg_peer *wg_peer_by_name(const struct wg_engine *e, const char *name)
{
	uint32_t hash = hash_name(e, name), at = hash, id;

	while (wg_index_next(&e->by_name, hash, &at, &id))
		if (strcmp(wg_peer(e, id)->name, name) == 0)
			return wg_peer(e, id);
	return NULL;
}

struct wg_peer *wg_peer_by_key(const struct wg_engine *e, const uint8_t *key)
{
	uint32_t hash = hash_key(e, key), at = hash, id;

	while (wg_index_next(&e->by_key, hash, &at, &id))
		if (memcmp(wg_peer(e, id)->key, key, WG_KEY_BYTES) == 0)
			return wg_peer(e, id);
	return NULL;
}

struct wg_link *wg_link_between(const struct wg_engine *e, uint32_t a,
				uint32_t b)
{
	uint32_t hash = hash_pair(e, a, b), at = hash, id;

	while (wg_index_next(&e->by_pair, hash, &at, &id)) {
		struct wg_link *l = wg_link(e, id);

		if (l->peer[0] == HD_MIN(a, b) && l->peer[1] == HD_MAX(a, b))
			return l;
	}
	return NULL;
}

/* ---- peers ---- */

static int keys_room(struct wg_engine *e, uint32_t id)
{
	uint32_t cap = HD_MAX(e->keys_cap, 64u);
	struct wg_mac1_key *keys;

	while (cap <= id)
		cap *= 2;
	if (cap == e->keys_cap)
		return 0;
	keys = realloc(e->keys, cap * sizeof(*keys));
	if (keys == NULL)
		return -ENOMEM;
	e->keys = keys;
	e->keys_cap = cap;
	return 0;
}

/* A search must not find who has no key: nobody knows this one. */
static void key_hide(struct wg_engine *e, uint32_t id)
{
	if (id < e->keys_cap)
		randombytes_buf(&e->keys[id], sizeof(e->keys[id]));
}

static int key_set(struct wg_engine *e, const struct wg_peer *p)
{
	uint32_t id = p->item.id;
	int r = 0;

	key_hide(e, id);
	if (p->has_key)
		r = wg_mac1_key_init(&e->keys[id], p->key);
	if (r == 0 && p->has_key)
		r = wg_index_add(&e->by_key, hash_key(e, p->key), id);
	return r;
}

static int peer_index(struct wg_engine *e, struct wg_peer *p)
{
	int r = keys_room(e, p->item.id);

	if (r == 0)
		r = wg_index_add(&e->by_name, hash_name(e, p->name),
				 p->item.id);
	return r == 0 ? key_set(e, p) : r;
}

static int peer_new(struct wg_engine *e, const struct wg_peer_conf *conf,
		    struct wg_peer **ret)
{
	struct wg_peer *p = wg_pool_add(&e->peers);
	int r;

	if (p == NULL)
		return -ENOMEM;
	p->serial = ++e->serial;
	memcpy(p->name, conf->name, sizeof(p->name));
	memcpy(p->key, conf->key, sizeof(p->key));
	p->has_key = conf->has_key;
	r = peer_index(e, p);
	if (r < 0)
		wg_peer_drop(e, p);
	else
		*ret = p;
	return r;
}

static bool same_key(const struct wg_peer *p, const struct wg_peer_conf *conf)
{
	return p->has_key == conf->has_key &&
	       (!p->has_key || memcmp(p->key, conf->key, sizeof(p->key)) == 0);
}

/* A new pinned endpoint is the operator's word: it is where the peer is. */
static void set_pinned(struct wg_engine *e, struct wg_peer *p,
		       const struct wg_peer_conf *conf)
{
	const struct wg_addr none = { 0 };
	struct wg_addr pinned = none;

	if (conf->has_endpoint)
		pinned = wg_addr_of(&conf->endpoint);
	p->fixed = conf->has_endpoint;
	if (wg_addr_same(&pinned, &p->pinned))
		return;
	p->pinned = pinned;
	if (pinned.set)
		wg_peer_move(e, p, &pinned, &none);
}

/* Its links stay, under the same id: nothing else knows the key. */
static int change_key(struct wg_engine *e, struct wg_peer *p,
		      const struct wg_peer_conf *conf)
{
	for (uint32_t i = 0; i < p->n_links; i++)
		wg_link_cut(e, wg_link(e, p->links[i]));
	wg_peer_forget(e, p);
	if (p->has_key)
		wg_index_remove(&e->by_key, hash_key(e, p->key), p->item.id);
	p->serial = ++e->serial;
	memcpy(p->key, conf->key, sizeof(p->key));
	p->has_key = conf->has_key;
	p->pinned = (struct wg_addr){ 0 };
	return key_set(e, p);
}

int wg_peer_put(struct wg_engine *e, const struct wg_peer_conf *conf)
{
	struct wg_peer *p = wg_peer_by_name(e, conf->name);
	int r = 0;

	if (p == NULL)
		r = peer_new(e, conf, &p);
	else if (!same_key(p, conf))
		r = change_key(e, p, conf);
	if (r < 0)
		return r;
	memcpy(p->nic, conf->nic, sizeof(p->nic));
	set_pinned(e, p, conf);
	return 0;
}

void wg_peer_drop(struct wg_engine *e, struct wg_peer *p)
{
	while (p->n_links > 0)
		wg_link_drop(e, wg_link(e, p->links[p->n_links - 1]));
	wg_peer_forget(e, p);
	wg_index_remove(&e->by_name, hash_name(e, p->name), p->item.id);
	if (p->has_key)
		wg_index_remove(&e->by_key, hash_key(e, p->key), p->item.id);
	key_hide(e, p->item.id);
	free(p->links);
	wg_pool_remove(&e->peers, p);
}

/* ---- links ---- */

static int list_add(struct wg_peer *p, struct wg_link *l)
{
	if (p->n_links == p->links_cap) {
		uint32_t cap = p->links_cap == 0 ? 2 : p->links_cap * 2;
		uint32_t *links = realloc(p->links, cap * sizeof(*links));

		if (links == NULL)
			return -ENOMEM;
		p->links = links;
		p->links_cap = cap;
	}
	l->at[wg_side(l, p->item.id)] = p->n_links;
	p->links[p->n_links++] = l->item.id;
	return 0;
}

static void list_remove(struct wg_engine *e, struct wg_peer *p,
			const struct wg_link *l)
{
	uint32_t at = l->at[wg_side(l, p->item.id)];
	struct wg_link *last;

	if (at >= p->n_links || p->links[at] != l->item.id)
		return; /* it never came to be */
	last = wg_link(e, p->links[--p->n_links]);
	p->links[at] = last->item.id;
	last->at[wg_side(last, p->item.id)] = at;
}

int wg_link_put(struct wg_engine *e, struct wg_peer *a, struct wg_peer *b)
{
	uint32_t lo = HD_MIN(a->item.id, b->item.id);
	uint32_t hi = HD_MAX(a->item.id, b->item.id);
	struct wg_link *l;
	int r;

	if (a == b || wg_link_between(e, lo, hi) != NULL)
		return 0;
	l = wg_pool_add(&e->links);
	if (l == NULL)
		return -ENOMEM;
	l->peer[0] = lo;
	l->peer[1] = hi;
	l->at[0] = l->at[1] = WG_NONE;
	l->newest = WG_NONE;
	r = wg_index_add(&e->by_pair, hash_pair(e, lo, hi), l->item.id);
	if (r == 0)
		r = list_add(wg_peer(e, lo), l);
	if (r == 0)
		r = list_add(wg_peer(e, hi), l);
	if (r < 0)
		wg_link_drop(e, l);
	return r;
}

/* The tunnel ends now: no packet of it is forwarded any more. */
void wg_link_cut(struct wg_engine *e, struct wg_link *l)
{
	while (l->newest != WG_NONE)
		wg_session_end(e, wg_session(e, l->newest), "link removed");
	l->trusted = false;
	l->handshake_ms = 0;
}

void wg_link_drop(struct wg_engine *e, struct wg_link *l)
{
	wg_link_cut(e, l);
	for (unsigned i = 0; i < 2; i++)
		list_remove(e, wg_peer(e, l->peer[i]), l);
	wg_index_remove(&e->by_pair, hash_pair(e, l->peer[0], l->peer[1]),
			l->item.id);
	wg_pool_remove(&e->links, l);
}
