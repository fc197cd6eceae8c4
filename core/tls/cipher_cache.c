/* SPDX-License-Identifier: MIT */
/* core/tls/cipher_cache.c - the clock algorithm over a table of ciphers. */
#include "core/tls/cipher_cache.h"

static void add_free(struct hd_cipher *c)
{
	struct hd_cipher_cache *cache = c->home;

	if (c->key != NULL)
		c->aead->drop(&c->key);
	c->next = cache->free;
	cache->free = c;
	cache->n_busy--;
}

/* From the first in the clock's order that was not used for a round. Its key is
 * overwritten by the next one. */
static struct hd_cipher *evict(struct hd_cipher_cache *cache)
{
	struct hd_cipher *c;

	do {
		c = &cache->slots[cache->hand];
		cache->hand = (cache->hand + 1) % HD_CIPHERS_MAX;
		if (!c->used)
			break;
		c->used = false;
	} while (true);
	*c->owner = NULL;
	cache->n_busy--;
	cache->evictions++;
	return c;
}

static struct hd_cipher *find(struct hd_cipher_cache *cache)
{
	struct hd_cipher *c = cache->free;

	if (c != NULL)
		cache->free = c->next;
	else if (cache->n < HD_CIPHERS_MAX)
		c = &cache->slots[cache->n++];
	else
		c = evict(cache);
	c->home = cache;
	cache->n_busy++;
	return c;
}

/* Gives it a key of this kind. Returns whether it has one. */
static bool set_suite(struct hd_cipher *c, const struct hd_tls_suite *suite)
{
	const struct hd_aead *aead = hd_aead_of(suite);

	if (c->key != NULL && (c->aead != aead || c->suite != suite))
		c->aead->drop(&c->key);
	c->aead = aead;
	c->suite = suite;
	if (c->key == NULL)
		c->key = aead->make(suite);
	return c->key != NULL;
}

struct hd_cipher *hd_cipher_get(struct hd_cipher_cache *cache,
				const struct hd_tls_suite *suite, bool encrypt,
				const uint8_t *key, struct hd_cipher **owner)
{
	struct hd_cipher *c = *owner;

	if (c != NULL) {
		cache->hits++;
	} else {
		cache->misses++;
		c = find(cache);
		if (!set_suite(c, suite) ||
		    c->aead->expand(c->key, key, encrypt) < 0) {
			add_free(c);
			return NULL;
		}
		c->owner = owner;
		*owner = c;
	}
	c->used = true;
	return c;
}

void hd_cipher_put(struct hd_cipher **owner)
{
	struct hd_cipher *c = hd_steal(owner);

	if (c != NULL)
		add_free(c);
}

void hd_cipher_evict_unused(struct hd_cipher_cache *cache)
{
	for (unsigned i = 0; i < cache->n; i++) {
		struct hd_cipher *c = &cache->slots[i];

		if (c->key == NULL)
			continue;
		if (!c->used)
			hd_cipher_put(c->owner);
		else
			c->used = false;
	}
}

void hd_cipher_cache_free(struct hd_cipher_cache *cache)
{
	for (unsigned i = 0; i < cache->n; i++)
		if (cache->slots[i].key != NULL)
			hd_cipher_put(cache->slots[i].owner);
	cache->n = 0;
	cache->free = NULL;
	cache->hand = 0;
}
