/* SPDX-License-Identifier: MIT */
/* modules/derp/shared_keys.c - what opens the boxes of clients that have logged
 * in: when they come again, a login is cheaper by one X25519. A table with one
 * place for each key, which it shares with others: the last one has it. Which
 * ones share follows from a secret of this table, so that nobody can choose
 * whom he puts out.
 *
 * What is kept follows from the relay's private key, which is in memory as
 * long: nobody gets by it what he could not compute. */
#include "modules/derp/derp.h"
#include <hyper-derp/secret.h>
#include <pthread.h>

#define PLACES 2048

struct place {
	struct hd_key client; /* 0: empty */
	uint8_t shared[crypto_box_BEFORENMBYTES];
};

static struct table {
	uint8_t hash_key[crypto_shorthash_KEYBYTES];
	struct place v[PLACES];
} *table;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of v */

_Static_assert((PLACES & (PLACES - 1)) == 0, "a mask");

bool derp_shared_keys_start(void)
{
	table = hd_secret_alloc(sizeof(*table));
	if (table != NULL)
		crypto_shorthash_keygen(table->hash_key);
	return table != NULL;
}

void derp_shared_keys_end(void)
{
	hd_secret_free(table);
	table = NULL;
}

static struct place *place_of(const struct hd_key *client)
{
	uint8_t hash[crypto_shorthash_BYTES];
	uint32_t at;

	crypto_shorthash(hash, client->b, HD_KEY_BYTES, table->hash_key);
	memcpy(&at, hash, sizeof(at));
	return &table->v[at & (PLACES - 1)];
}

bool derp_shared_key_find(const struct hd_key *client, uint8_t *ret_shared)
{
	const struct place *p = place_of(client);
	bool is_here;

	pthread_mutex_lock(&lock);
	is_here = memcmp(&p->client, client, sizeof(*client)) == 0;
	if (is_here)
		memcpy(ret_shared, p->shared, sizeof(p->shared));
	pthread_mutex_unlock(&lock);
	return is_here;
}

void derp_shared_key_keep(const struct hd_key *client, const uint8_t *shared)
{
	struct place *p = place_of(client);

	pthread_mutex_lock(&lock);
	p->client = *client;
	memcpy(p->shared, shared, sizeof(p->shared));
	pthread_mutex_unlock(&lock);
}
