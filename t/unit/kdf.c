/* SPDX-License-Identifier: MIT */
/* t/unit/kdf.c - the key schedule of TLS 1.3: the values are RFC 8448, section
 * 3 ("Simple 1-RTT Handshake"), and OpenSSL's own provider is the control. */
#include "t/unit/unit.h"
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <sodium.h>
#include <string.h>
#include "core/tls/hkdf.h"
#include "core/tls/kdf.h"

#define OURS "provider=hyper-derp"
#define THEIRS "provider=default"
#define OUT_MAX_BYTES 600

struct question {
	int mode;
	const char *digest, *label;
	struct hd_bytes key, salt, data;
	size_t out_bytes;
};

static unsigned params_of(const struct question *q, int *mode, OSSL_PARAM *p)
{
	OSSL_PARAM *first = p;
	const struct {
		const char *name;
		struct hd_bytes b;
	} bytes[] = {
		{ OSSL_KDF_PARAM_KEY, q->key },
		{ OSSL_KDF_PARAM_SALT, q->salt },
		{ OSSL_KDF_PARAM_PREFIX, { "tls13 ", 6 } },
		{ OSSL_KDF_PARAM_LABEL, { q->label, strlen(q->label) } },
		{ OSSL_KDF_PARAM_DATA, q->data },
	};

	*mode = q->mode;
	*p++ = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, mode);
	*p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
						(char *)q->digest, 0);
	for (unsigned i = 0; i < HD_ARRAY_N(bytes); i++)
		if (bytes[i].b.p != NULL)
			*p++ = OSSL_PARAM_construct_octet_string(
				bytes[i].name, (void *)bytes[i].b.p,
				bytes[i].b.n);
	*p++ = OSSL_PARAM_construct_end();
	return (unsigned)(p - first);
}

static EVP_KDF_CTX *kdf(const char *who)
{
	EVP_KDF *k = EVP_KDF_fetch(NULL, "TLS13-KDF", who);
	EVP_KDF_CTX *ctx;

	assert_non_null(k);
	assert_string_equal(OSSL_PROVIDER_get0_name(EVP_KDF_get0_provider(k)),
			    strchr(who, '=') + 1);
	ctx = EVP_KDF_CTX_new(k);
	EVP_KDF_free(k);
	assert_non_null(ctx);
	return ctx;
}

/* Returns whether there is an answer. */
static bool ask(const char *who, const struct question *q, uint8_t *out)
{
	EVP_KDF_CTX *ctx = kdf(who);
	OSSL_PARAM params[8];
	int mode;

	params_of(q, &mode, params);
	bool ok = EVP_KDF_derive(ctx, out, q->out_bytes, params) == 1;

	EVP_KDF_CTX_free(ctx);
	return ok;
}

/* ---- RFC 8448 ---- */

struct bin {
	uint8_t v[64];
	size_t n;
};

static struct hd_bytes hex(struct bin *b, const char *text)
{
	assert_int_equal(sodium_hex2bin(b->v, sizeof(b->v), text, strlen(text),
					NULL, &b->n, NULL),
			 0);
	return (struct hd_bytes){ b->v, b->n };
}

static void assert_answer(const struct question *q, const char *want)
{
	uint8_t out[OUT_MAX_BYTES];
	struct bin b;

	assert_true(ask(OURS, q, out));
	assert_int_equal(q->out_bytes, hex(&b, want).n);
	assert_memory_equal(out, b.v, q->out_bytes);
}

static const char early[] =
	"33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a";
static const char shared[] =
	"8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d";
static const char handshake[] =
	"1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac";
static const char master[] =
	"18df06843d13a08bf2a449844c5f8a478001bc4d4c627984d5a41da8d0402919";
static const char to_hello[] = /* hash of the messages so far */
	"860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8";
static const char to_finished[] =
	"9608102a0f1ccc6db6250b7b7e417b1a000eaada3daae4777a7686c9ff83df13";
static const char to_the_end[] =
	"209145a96ee8e2a122ff810047cc952684658d6049e86429426db87c54ad143d";
static const char server_ap[] =
	"a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643";

static void three_secrets_are_extracted(void **state)
{
	struct question q = { .mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY,
			      .digest = "SHA256",
			      .label = "derived",
			      .out_bytes = 32 };
	struct bin salt, key;

	(void)state;
	assert_answer(&q, early);
	q.salt = hex(&salt, early);
	q.key = hex(&key, shared);
	assert_answer(&q, handshake);
	q.salt = hex(&salt, handshake);
	q.key = (struct hd_bytes){ 0 };
	assert_answer(&q, master);
}

static void the_others_are_expanded(void **state)
{
	static const struct {
		const char *secret, *label, *hash, *want;
	} rows[] = {
		{ handshake, "c hs traffic", to_hello,
		  "b3eddb126e067f35a780b3abf45e2d8f"
		  "3b1a950738f52e9600746a0e27a55a21" },
		{ handshake, "s hs traffic", to_hello,
		  "b67b7d690cc16c4e75e54213cb2d37b4"
		  "e9c912bcded9105d42befd59d391ad38" },
		{ master, "c ap traffic", to_finished,
		  "9e40646ce79a7f9dc05af8889bce6552"
		  "875afa0b06df0087f792ebb7c17504a5" },
		{ master, "s ap traffic", to_finished, server_ap },
		{ master, "exp master", to_finished,
		  "fe22f881176eda18eb8f44529e6792c5"
		  "0c9a3f89452f68d8ae311b4309d3cf50" },
		{ master, "res master", to_the_end,
		  "7df235f2031d2a051287d02b0241b0bf"
		  "daf86cc856231f2d5aba46c434ec196c" },
		{ server_ap, "key", NULL, "9f02283b6c9c07efc26bb9f2ac92e356" },
		{ server_ap, "iv", NULL, "cf782b88dd83549aadf1e984" },
	};

	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(rows); i++) {
		struct bin secret, hash;
		struct question q = { .mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY,
				      .digest = "SHA256",
				      .label = rows[i].label,
				      .out_bytes = strlen(rows[i].want) / 2,
				      .key = hex(&secret, rows[i].secret) };

		if (rows[i].hash != NULL)
			q.data = hex(&hash, rows[i].hash);
		assert_answer(&q, rows[i].want);
	}
}

/* ---- the control ---- */

static struct hd_bytes random_bytes(uint8_t *to, size_t n)
{
	randombytes_buf(to, n);
	return (struct hd_bytes){ to, n };
}

static struct question random_question(uint8_t space[3][256])
{
	static const char *const digests[] = { "SHA2-256", "SHA256", "SHA384",
					       "SHA2-384" };
	static const char *const names[] = { "", "key", "derived",
					     "c ap traffic" };
	const char *digest = digests[randombytes_uniform(4)];
	size_t bytes = strstr(digest, "256") != NULL ? 32 : 48;
	bool extracts = randombytes_uniform(2);
	struct question q = {
		.mode = extracts ? EVP_KDF_HKDF_MODE_EXTRACT_ONLY
				 : EVP_KDF_HKDF_MODE_EXPAND_ONLY,
		.digest = digest,
		.label = names[randombytes_uniform(4)],
		.out_bytes = extracts ? bytes
				      : 1 + randombytes_uniform(OUT_MAX_BYTES),
		.key = random_bytes(space[0], bytes),
	};

	if (extracts && randombytes_uniform(2))
		q.salt = random_bytes(space[1], bytes);
	if (extracts && randombytes_uniform(2))
		q.key = random_bytes(space[0], 1 + randombytes_uniform(255));
	if (randombytes_uniform(2))
		q.data = random_bytes(space[2], randombytes_uniform(200));
	return q;
}

static void openssl_says_the_same(void **state)
{
	(void)state;
	for (int i = 0; i < 2000; i++) {
		static uint8_t space[3][256];
		uint8_t ours[OUT_MAX_BYTES], theirs[OUT_MAX_BYTES];
		struct question q = random_question(space);

		assert_true(ask(THEIRS, &q, theirs));
		assert_true(ask(OURS, &q, ours));
		assert_memory_equal(ours, theirs, q.out_bytes);
	}
}

/* As a program may that is not libssl. */
static void parameters_may_come_before(void **state)
{
	uint8_t key[32] = { 1 }, want[32], got[32];
	struct question q = { .mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY,
			      .digest = "SHA256",
			      .label = "key",
			      .key = { key, sizeof(key) },
			      .out_bytes = sizeof(got) };
	EVP_KDF_CTX *ctx = kdf(OURS);
	OSSL_PARAM params[8], one[] = { OSSL_PARAM_END, OSSL_PARAM_END };
	int mode;
	unsigned n = params_of(&q, &mode, params);

	(void)state;
	assert_true(ask(THEIRS, &q, want));
	for (unsigned i = 0; i + 1 < n; i++) { /* one by one */
		one[0] = params[i];
		assert_int_equal(EVP_KDF_CTX_set_params(ctx, one), 1);
	}
	for (int i = 0; i < 2; i++) {
		memset(got, 0, sizeof(got));
		assert_int_equal(EVP_KDF_derive(ctx, got, sizeof(got), NULL),
				 1);
		assert_memory_equal(got, want, sizeof(got));
	}
	EVP_KDF_CTX_reset(ctx);
	assert_int_equal(EVP_KDF_derive(ctx, got, sizeof(got), NULL), 0);
	EVP_KDF_CTX_free(ctx);
}

static void nonsense_is_refused(void **state)
{
	static uint8_t key[HD_HASH_MAX_BYTES + 1], out[255 * 32 + 1];
	const struct question good = { .mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY,
				       .digest = "SHA256",
				       .label = "key",
				       .key = { key, 32 },
				       .out_bytes = 32 };
	struct question q = good;

	(void)state;
	assert_true(ask(OURS, &q, out));
	q.digest = "SHA512";
	assert_false(ask(OURS, &q, out));
	q = good;
	q.key.n = sizeof(key);
	assert_false(ask(OURS, &q, out));
	q = good;
	q.key.p = NULL;
	assert_false(ask(OURS, &q, out));
	q = good;
	q.out_bytes = sizeof(out);
	assert_false(ask(OURS, &q, out));
	q = good;
	q.mode = EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND;
	assert_false(ask(OURS, &q, out));
	q.mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
	q.out_bytes = 16; /* not what a hash has */
	assert_false(ask(OURS, &q, out));
}

/* ---- being told ---- */

static unsigned told[HD_KDF_SECRETS];
static uint8_t told_secret[HD_HASH_MAX_BYTES];

static void on_secret(void *arg, enum hd_kdf_secret what, const uint8_t *secret,
		      size_t n)
{
	assert_ptr_equal(arg, told);
	told[what]++;
	memcpy(told_secret, secret, n);
}

static void who_watches_is_told(void **state)
{
	static const char *const labels[] = { "c ap traffic", "s ap traffic",
					      "exp master",   "c hs traffic",
					      "c ap traffi",  "res master" };
	const struct hd_kdf_watch watch = { on_secret, told };
	uint8_t key[32] = { 7 }, out[32];

	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(labels); i++) {
		struct question q = { .mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY,
				      .digest = "SHA256",
				      .label = labels[i],
				      .key = { key, sizeof(key) },
				      .out_bytes = sizeof(out) };

		memset(told, 0, sizeof(told));
		assert_true(ask(OURS, &q, out));
		assert_int_equal(told[0] + told[1] + told[2], 0);
		hd_kdf_watch(&watch);
		assert_true(ask(OURS, &q, out));
		hd_kdf_watch(NULL);
		assert_int_equal(told[0] + told[1] + told[2],
				 i < HD_KDF_SECRETS);
		if (i < HD_KDF_SECRETS) {
			assert_int_equal(told[i], 1);
			assert_memory_equal(told_secret, out, sizeof(out));
		}
	}
}

static int start(void **state)
{
	(void)state;
	return hd_kdf_start(true) ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_secrets_are_extracted),
		cmocka_unit_test(the_others_are_expanded),
		cmocka_unit_test(openssl_says_the_same),
		cmocka_unit_test(parameters_may_come_before),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(who_watches_is_told),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
