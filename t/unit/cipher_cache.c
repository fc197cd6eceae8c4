/* SPDX-License-Identifier: MIT */
/* t/unit/cipher_cache.c - expanded keys of a worker: no more than there is room
 * for, and nobody ever uses another's. */
#include "t/unit/unit.h"

#include <string.h>
#include "core/tls/cipher_cache.h"
#include "t/records/crypto.h"

#define USERS (HD_CIPHERS_MAX + 100)
#define RECORD_BYTES (HD_AEAD_HEAD_BYTES + 4 + HD_TLS_TAG_BYTES)

static struct hd_cipher_cache cache;
static struct user {
	struct hd_tls_keys keys;
	struct hd_cipher *cipher;
} users[USERS];

static const struct hd_tls_suite *suite_of(unsigned i)
{
	return hd_tls_suite_at(i % HD_TLS_SUITES);
}

static int fresh(void **state)
{
	(void)state;
	memset(users, 0, sizeof(users));
	for (unsigned i = 0; i < USERS; i++)
		memcpy(users[i].keys.key, &i, sizeof(i));
	return 0;
}

static struct hd_cipher *get(unsigned i, bool encrypt)
{
	struct hd_cipher *c = hd_cipher_get(&cache, suite_of(i), encrypt,
					    users[i].keys.key,
					    &users[i].cipher);

	assert_non_null(c);
	assert_ptr_equal(c, users[i].cipher);
	return c;
}

static void seal(unsigned i, uint8_t record[RECORD_BYTES])
{
	struct hd_cipher *c = get(i, true);

	memset(record, 0, RECORD_BYTES);
	assert_int_equal(c->aead->seal(c->key, users[i].keys.iv, record,
				       HD_AEAD_HEAD_BYTES, 4), 0);
}

/* A cipher of its own, outside of the cache, is the judge. */
static void assert_own_key(unsigned i)
{
	const struct hd_aead *a = hd_aead_evp(suite_of(i));
	void *key = a->make(suite_of(i));
	uint8_t got[RECORD_BYTES], want[RECORD_BYTES] = { 0 };

	seal(i, got);
	assert_int_equal(a->expand(key, users[i].keys.key, true), 0);
	assert_int_equal(a->seal(key, users[i].keys.iv, want,
				 HD_AEAD_HEAD_BYTES, 4), 0);
	assert_memory_equal(got, want, RECORD_BYTES);
	a->drop(&key);
}

static unsigned owners(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < USERS; i++) {
		if (users[i].cipher == NULL)
			continue;
		assert_ptr_equal(users[i].cipher->owner, &users[i].cipher);
		n++;
	}
	assert_int_equal(n, cache.n_busy);
	return n;
}

static void end(void)
{
	hd_cipher_cache_free(&cache);
	assert_int_equal(owners(), 0);
}

static void a_key_stays_until_it_is_put(void **state)
{
	uint64_t hits = cache.hits, misses = cache.misses;
	struct hd_cipher *c = get(0, true);

	(void)state;
	assert_ptr_equal(get(0, true), c);
	hd_cipher_put(&users[0].cipher);
	assert_null(users[0].cipher);
	hd_cipher_put(&users[0].cipher); /* twice is fine */
	assert_int_equal(owners(), 0);
	assert_ptr_equal(get(1, true), c); /* the slot is used again */
	assert_int_equal(cache.misses - misses, 2);
	assert_int_equal(cache.hits - hits, 1);
	end();
}

static void nobody_has_anothers_key(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < USERS; i++)
			assert_own_key(i);
	assert_int_equal(owners(), HD_CIPHERS_MAX);
	for (unsigned i = 0; i < USERS; i += 3)
		hd_cipher_put(&users[i].cipher);
	for (unsigned i = USERS; i-- > 0;)
		assert_own_key(i);
	assert_int_equal(owners(), HD_CIPHERS_MAX);
	end();
}

static void the_busy_ones_keep_theirs(void **state)
{
	struct hd_cipher *c;
	uint64_t before;

	(void)state;
	for (unsigned i = 0; i < HD_CIPHERS_MAX; i++)
		get(i, true);
	before = cache.evictions;
	get(HD_CIPHERS_MAX, true); /* all had been used: the first one loses */
	assert_null(users[0].cipher);
	c = get(7, true);
	for (unsigned i = HD_CIPHERS_MAX + 1; i < HD_CIPHERS_MAX + 50; i++)
		get(i, true);
	assert_ptr_equal(users[7].cipher, c);
	assert_null(users[8].cipher);
	assert_int_equal(cache.evictions - before, 50);
	end();
}

static void the_broom_takes_what_was_not_used(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++)
		get(i, i % 2);
	hd_cipher_evict_unused(&cache); /* all were used since the last one */
	assert_int_equal(owners(), 100);
	get(5, true);
	hd_cipher_evict_unused(&cache);
	assert_int_equal(owners(), 1);
	assert_non_null(users[5].cipher);
	hd_cipher_evict_unused(&cache);
	assert_int_equal(owners(), 0);
	end();
}

static void both_directions(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 6; i++) { /* a slot changes its direction */
		uint8_t record[RECORD_BYTES], out[4];
		struct hd_cipher *c;

		seal(i, record);
		hd_cipher_put(&users[i].cipher);
		c = get(i, false);
		assert_int_equal(c->aead->open(c->key, users[i].keys.iv, record,
					       HD_AEAD_HEAD_BYTES, 4, out), 0);
		assert_memory_equal(out, "\0\0\0", 4);
		hd_cipher_put(&users[i].cipher);
	}
	end();
}

#define T(f) cmocka_unit_test_setup(f, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_key_stays_until_it_is_put),
		T(nobody_has_anothers_key),
		T(the_busy_ones_keep_theirs),
		T(the_broom_takes_what_was_not_used),
		T(both_directions),
	};

	return crypto_run(tests, HD_ARRAY_N(tests), false);
}
