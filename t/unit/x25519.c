/* SPDX-License-Identifier: MIT */
/* t/unit/x25519.c - X25519 of the relay's provider in OpenSSL: the values are
 * RFC 7748, 6.1, and OpenSSL's own is the control. */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <sodium.h>
#include <string.h>
#include "core/tls/kdf.h"
#include "t/unit/made_cert.h"
#include "t/unit/unit.h"

#define OURS "provider=hyper-derp"
#define THEIRS "provider=default"
#define NAME "X25519"
#define BYTES 32

static const char alice_secret[] =
	"77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
static const char alice_public[] =
	"8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
static const char bob_secret[] =
	"5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
static const char bob_public[] =
	"de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";
static const char of_both[] =
	"4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";

static void bin(uint8_t to[BYTES], const char *hex)
{
	assert_int_equal(sodium_hex2bin(to, BYTES, hex, strlen(hex), NULL, NULL,
					NULL),
			 0);
}

static void assert_bytes(const uint8_t got[BYTES], const char *want)
{
	uint8_t b[BYTES];

	bin(b, want);
	assert_memory_equal(got, b, BYTES);
}

static const char *whose(const EVP_PKEY *key)
{
	return OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key));
}

/* @what  OSSL_PKEY_PARAM_PRIV_KEY or _PUB_KEY; NULL: refused. */
static EVP_PKEY *imported(const char *who, const char *what, void *p, size_t n)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, NAME, who);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(what, p, n),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY *key = NULL;

	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	if (EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
		assert_null(key);
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return key;
}

static EVP_PKEY *from_hex(const char *who, const char *what, const char *hex)
{
	uint8_t b[BYTES];
	EVP_PKEY *key;

	bin(b, hex);
	key = imported(who, what, b, sizeof(b));
	assert_non_null(key);
	assert_string_equal(whose(key), strchr(who, '=') + 1);
	return key;
}

static EVP_PKEY *generated(const char *who)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, who, NAME);

	assert_non_null(key);
	assert_string_equal(whose(key), strchr(who, '=') + 1);
	return key;
}

static void public_of(EVP_PKEY *key, uint8_t ret[BYTES])
{
	size_t n = BYTES;

	assert_int_equal(EVP_PKEY_get_raw_public_key(key, ret, &n), 1);
	assert_int_equal(n, BYTES);
}

/* Returns whether there is a secret. */
static bool derive(const char *who, EVP_PKEY *key, EVP_PKEY *peer,
		   uint8_t ret[BYTES])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, who), *copy;
	size_t n = 0;
	bool ok;

	assert_int_equal(EVP_PKEY_derive_init(ctx), 1);
	assert_int_equal(EVP_PKEY_derive_set_peer(ctx, peer), 1);
	copy = EVP_PKEY_CTX_dup(ctx);
	assert_non_null(copy);
	EVP_PKEY_CTX_free(ctx);
	assert_int_equal(EVP_PKEY_derive(copy, NULL, &n), 1);
	assert_int_equal(n, BYTES);
	n--;
	assert_int_not_equal(EVP_PKEY_derive(copy, ret, &n), 1);
	n = BYTES;
	ok = EVP_PKEY_derive(copy, ret, &n) == 1;
	EVP_PKEY_CTX_free(copy);
	ERR_clear_error();
	return ok;
}

/* ---- RFC 7748 ---- */

static void the_values_of_the_standard(void **state)
{
	static const struct {
		const char *secret, *own, *peer;
	} rows[] = {
		{ alice_secret, alice_public, bob_public },
		{ bob_secret, bob_public, alice_public },
	};

	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(rows); i++) {
		EVP_PKEY *key = from_hex(OURS, OSSL_PKEY_PARAM_PRIV_KEY,
					 rows[i].secret);
		EVP_PKEY *peer = from_hex(OURS, OSSL_PKEY_PARAM_PUB_KEY,
					  rows[i].peer);
		uint8_t got[BYTES];

		public_of(key, got);
		assert_bytes(got, rows[i].own);
		assert_true(derive(OURS, key, peer, got));
		assert_bytes(got, of_both);
		EVP_PKEY_free(key);
		EVP_PKEY_free(peer);
	}
}

/* ---- the control ---- */

/* As a message of the handshake brings it. */
static EVP_PKEY *as_sent(const char *who, EVP_PKEY *key)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, NAME, who);
	EVP_PKEY *peer = NULL;
	unsigned char *b;
	size_t n = EVP_PKEY_get1_encoded_public_key(key, &b);

	assert_int_equal(n, BYTES);
	assert_int_equal(EVP_PKEY_paramgen_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_group_name(ctx, "x25519"), 1);
	assert_int_equal(EVP_PKEY_paramgen(ctx, &peer), 1);
	assert_int_equal(EVP_PKEY_set1_encoded_public_key(peer, b, n), 1);
	assert_int_equal(EVP_PKEY_eq(peer, key), 1);
	EVP_PKEY_CTX_free(ctx);
	OPENSSL_free(b);
	return peer;
}

static void openssl_has_the_same_secret(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		EVP_PKEY *ours = generated(OURS), *theirs = generated(THEIRS);
		EVP_PKEY *to_us = as_sent(OURS, theirs);
		EVP_PKEY *to_them = as_sent(THEIRS, ours);
		uint8_t a[BYTES], b[BYTES];

		assert_true(derive(OURS, ours, to_us, a));
		assert_true(derive(THEIRS, theirs, to_them, b));
		assert_memory_equal(a, b, BYTES);
		EVP_PKEY_free(ours);
		EVP_PKEY_free(theirs);
		EVP_PKEY_free(to_us);
		EVP_PKEY_free(to_them);
	}
}

static void no_key_comes_twice(void **state)
{
	uint8_t seen[64][BYTES];

	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(seen); i++) {
		EVP_PKEY *key = generated(OURS);

		public_of(key, seen[i]);
		EVP_PKEY_free(key);
		for (unsigned j = 0; j < i; j++)
			assert_memory_not_equal(seen[i], seen[j], BYTES);
	}
}

/* Source: RFC 8446, 7.4.2; u = 0, u = 1, and a point of order 8 of
 * https://cr.yp.to/ecdh.html#validate */
static void points_of_small_order_have_no_secret(void **state)
{
	static const char *const points[] = {
		"00000000000000000000000000000000"
		"00000000000000000000000000000000",
		"01000000000000000000000000000000"
		"00000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46a"
		"da098deb9c32b1fd866205165f49b800",
	};
	EVP_PKEY *key = generated(OURS);

	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(points); i++) {
		EVP_PKEY *peer = from_hex(OURS, OSSL_PKEY_PARAM_PUB_KEY,
					  points[i]);
		uint8_t got[BYTES];

		assert_false(derive(OURS, key, peer, got));
		EVP_PKEY_free(peer);
	}
	EVP_PKEY_free(key);
}

/* ---- what else is asked of keys ---- */

static void it_says_of_itself_what_openssl_says(void **state)
{
	EVP_PKEY *ours = generated(OURS), *theirs = generated(THEIRS);

	(void)state;
	assert_int_equal(EVP_PKEY_get_id(ours), EVP_PKEY_X25519);
	assert_int_equal(EVP_PKEY_get_bits(ours), EVP_PKEY_get_bits(theirs));
	assert_int_equal(EVP_PKEY_get_security_bits(ours),
			 EVP_PKEY_get_security_bits(theirs));
	assert_int_equal(EVP_PKEY_get_size(ours), EVP_PKEY_get_size(theirs));
	EVP_PKEY_free(ours);
	EVP_PKEY_free(theirs);
}

static void copies_are_whole_and_checked(void **state)
{
	EVP_PKEY *key = generated(OURS), *copy = EVP_PKEY_dup(key), *wrong;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, copy, OURS);
	OSSL_PARAM *params;
	uint8_t b[BYTES];
	size_t n = BYTES;

	(void)state;
	assert_int_equal(EVP_PKEY_eq(copy, key), 1);
	assert_int_equal(EVP_PKEY_pairwise_check(ctx), 1);
	assert_int_equal(EVP_PKEY_get_raw_private_key(copy, b, &n), 1);
	assert_int_equal(EVP_PKEY_todata(key, EVP_PKEY_KEYPAIR, &params), 1);
	assert_memory_equal(
		OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_PRIV_KEY)->data, b,
		BYTES);
	OSSL_PARAM_free(params);
	wrong = generated(OURS);
	assert_int_not_equal(EVP_PKEY_eq(wrong, key), 1);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
	EVP_PKEY_free(copy);
	EVP_PKEY_free(wrong);
}

static void nonsense_is_refused(void **state)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, NAME, OURS);
	EVP_PKEY *key = generated(OURS);
	uint8_t b[BYTES + 1] = { 9 };

	(void)state;
	assert_null(imported(OURS, OSSL_PKEY_PARAM_PRIV_KEY, b, BYTES - 1));
	assert_null(imported(OURS, OSSL_PKEY_PARAM_PUB_KEY, b, BYTES + 1));
	for (size_t n = BYTES - 1; n <= BYTES + 1; n++)
		assert_int_equal(EVP_PKEY_set1_encoded_public_key(key, b, n),
				 n == BYTES);
	assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
	assert_int_not_equal(EVP_PKEY_CTX_set_group_name(ctx, "x448"), 1);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
	ERR_clear_error();
}

/* ---- who has it ---- */

static void who_does_not_ask_for_ours_has_openssls(void **state)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, NAME);

	(void)state;
	assert_string_equal(whose(key), "default");
	EVP_PKEY_free(key);
}

static void a_handshake_of_a_server_has_ours(void **state)
{
	struct made_cert cert = made("a", "DNS:a.example");
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *client = SSL_new(ctx), *server;
	struct hd_tls_store *store;
	EVP_PKEY *key = NULL;
	BIO *a, *b;

	(void)state;
	assert_int_equal(made_store(&cert, 1, &store, NULL), 0);
	server = SSL_new(hd_tls_store_ctx(store));
	assert_int_equal(BIO_new_bio_pair(&a, 0, &b, 0), 1);
	SSL_set_bio(client, a, a);
	SSL_set_bio(server, b, b);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	SSL_do_handshake(client);
	SSL_do_handshake(server);
	assert_int_equal(SSL_do_handshake(client), 1);
	assert_int_equal(SSL_do_handshake(server), 1);
	assert_int_equal(SSL_get_peer_tmp_key(server, &key), 1);
	assert_string_equal(whose(key), "hyper-derp");
	EVP_PKEY_free(key);
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(ctx);
	hd_tls_store_put(&store);
}

static int start(void **state)
{
	if (!hd_kdf_start(true))
		return -1;
	assert_int_equal(sodium_init(), 1); /* it has been, already */
	return made_set_up(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_values_of_the_standard),
		cmocka_unit_test(openssl_has_the_same_secret),
		cmocka_unit_test(no_key_comes_twice),
		cmocka_unit_test(points_of_small_order_have_no_secret),
		cmocka_unit_test(it_says_of_itself_what_openssl_says),
		cmocka_unit_test(copies_are_whole_and_checked),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(who_does_not_ask_for_ours_has_openssls),
		cmocka_unit_test(a_handshake_of_a_server_has_ours),
	};

	return cmocka_run_group_tests(tests, start, made_tear_down);
}
