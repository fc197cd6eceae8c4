/* SPDX-License-Identifier: MIT */
/* t/unit/aead.c - what modules encrypt themselves (hyper-derp/aead.h), with
 * each provider: a datagram of doc/reference/protocol-hd.md, and keys whose
 * expanded form comes and goes. */
#include "t/unit/unit.h"
#include <errno.h>
#include <hyper-derp/aead.h>
#include <stdlib.h>
#include <string.h>
#include "core/loop/worker.h"
#include "core/stream/stream_worker.h"
#include "core/tls/cipher_cache.h"
#include "t/records/crypto.h"

#define HEAD_BYTES 11
#define DATA_BYTES 6
#define DATAGRAM_BYTES (HEAD_BYTES + DATA_BYTES + HD_AEAD_TAG_BYTES)

static struct hd_streams streams;
static struct hd_worker worker = { .streams = &streams };

static const uint8_t key_bytes[HD_AEAD_KEY_MAX_BYTES] = {
	0x16, 0x1c, 0x2d, 0xc4, 0xf8, 0xab, 0x1e, 0xc1, 0x34, 0x00, 0xe7,
	0xc5, 0x1c, 0xde, 0xd5, 0x1d, 0x1a, 0xb3, 0x3a, 0x06, 0x70, 0x50,
	0xb2, 0xca, 0x3f, 0x25, 0xcd, 0x0b, 0x07, 0xec, 0x56, 0x0d,
};
/* the iv, and the counter 1 */
static const uint8_t nonce[HD_AEAD_NONCE_BYTES] = {
	0xcf, 0xd1, 0x15, 0x5d, 0x03, 0x2e, 0xb8, 0x7a, 0x68, 0x0e, 0x37, 0x28,
};
static const uint8_t plain[HEAD_BYTES + DATA_BYTES] = {
	8, 1, 0, 0, 2, 0, 0, 0, 0, 0, 1, 0, 1, 0, 2, 'h', 'i',
};
static const uint8_t sealed[][DATA_BYTES + HD_AEAD_TAG_BYTES] = {
	{ 0x46, 0x59, 0xb2, 0x2d, 0x54, 0xaf, 0x0d, 0xee, 0x03, 0x95, 0x5c,
	  0xd4, 0xc9, 0x44, 0xd8, 0x96, 0xab, 0x20, 0x2a, 0x12, 0x0a, 0xd5 },
	{ 0x5b, 0x1c, 0x56, 0x78, 0xf0, 0xad, 0xc8, 0x31, 0xe6, 0xb9, 0x84,
	  0xb8, 0x0e, 0x62, 0xe7, 0x0c, 0x09, 0x65, 0xdd, 0xfc, 0x9c, 0x1b },
	{ 0xac, 0x1b, 0x52, 0xba, 0x01, 0x00, 0x63, 0x4e, 0xeb, 0xf3, 0xab,
	  0x42, 0xfc, 0x31, 0x04, 0xb5, 0x0c, 0x13, 0x76, 0xe2, 0x37, 0x9f },
};

static struct hd_aead_key key_of(unsigned i)
{
	struct hd_aead_key key = { .suite = HD_AEAD_AES_128_GCM + i };

	memcpy(key.v, key_bytes, sizeof(key.v));
	return key;
}

static void seal(struct hd_aead_key *key, uint8_t to[DATAGRAM_BYTES])
{
	memcpy(to, plain, sizeof(plain));
	assert_int_equal(hd_aead_seal(&worker, key, nonce, to, HEAD_BYTES,
				      DATA_BYTES),
			 0);
}

static int opens(struct hd_aead_key *key, uint8_t *p)
{
	return hd_aead_open(&worker, key, nonce, p, HEAD_BYTES, DATA_BYTES);
}

static void a_datagram_of_each_suite(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(sealed); i++) {
		struct hd_aead_key out = key_of(i), in = key_of(i);
		uint8_t p[DATAGRAM_BYTES];

		seal(&out, p);
		assert_memory_equal(p, plain, HEAD_BYTES);
		assert_memory_equal(p + HEAD_BYTES, sealed[i],
				    sizeof(sealed[i]));
		assert_int_equal(opens(&in, p), 0);
		assert_memory_equal(p, plain, sizeof(plain));
		hd_aead_forget(&out);
		hd_aead_forget(&in);
	}
	assert_int_equal(streams.ciphers->n_busy, 0);
}

static void what_is_forged_is_wiped(void **state)
{
	static const uint8_t nothing[DATA_BYTES];

	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(sealed); i++) {
		struct hd_aead_key out = key_of(i), in = key_of(i);
		uint8_t p[DATAGRAM_BYTES];

		seal(&out, p);
		p[HEAD_BYTES - 1] ^= 1;
		assert_int_equal(opens(&in, p), -EBADMSG);
		assert_memory_equal(p + HEAD_BYTES, nothing, DATA_BYTES);
		hd_aead_forget(&out);
		hd_aead_forget(&in);
	}
}

/* Nobody has to know whether it is there. */
static void expanded_keys_come_and_go(void **state)
{
	struct hd_aead_key key = key_of(0);
	uint8_t p[DATAGRAM_BYTES];

	(void)state;
	hd_aead_forget(&key);
	for (unsigned round = 0; round < 3; round++) {
		seal(&key, p);
		assert_memory_equal(p + HEAD_BYTES, sealed[0],
				    sizeof(sealed[0]));
		assert_non_null(key.expanded);
		hd_cipher_evict_unused(streams.ciphers);
		hd_cipher_evict_unused(streams.ciphers);
		assert_null(key.expanded);
	}
	assert_int_equal(streams.ciphers->n_busy, 0);
}

static void suites_that_nobody_has(void **state)
{
	struct hd_aead_key key = { .suite = 0 };
	uint8_t p[DATAGRAM_BYTES] = { 0 };

	(void)state;
	assert_int_equal(opens(&key, p), -ENOTSUP);
	key.suite = 0x1304; /* AES-128-CCM */
	assert_int_equal(hd_aead_seal(&worker, &key, nonce, p, HEAD_BYTES,
				      DATA_BYTES),
			 -ENOTSUP);
	assert_null(key.expanded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_datagram_of_each_suite),
		cmocka_unit_test(what_is_forged_is_wiped),
		cmocka_unit_test(expanded_keys_come_and_go),
		cmocka_unit_test(suites_that_nobody_has),
	};
	int failed;

	streams.ciphers = calloc(1, sizeof(*streams.ciphers));
	if (streams.ciphers == NULL)
		return 1;
	failed = crypto_run(tests, HD_ARRAY_N(tests), true);
	hd_cipher_cache_free(streams.ciphers);
	free(streams.ciphers);
	return failed;
}
