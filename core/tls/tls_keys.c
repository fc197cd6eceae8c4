/* SPDX-License-Identifier: MIT */
/* core/tls/tls_keys.c - key schedule over OpenSSL's EVP. */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <pthread.h>
#include <string.h>
#include "core/tls/aead.h"

static const struct hd_tls_suite suites[HD_TLS_SUITES] = {
	/* RFC 8446, B.4 */
	{ 0x1301, 16, 32, true, "AES-128-GCM", "SHA256" },
	{ 0x1302, 32, 48, true, "AES-256-GCM", "SHA384" },
	{ 0x1303, 32, 32, false, "ChaCha20-Poly1305", "SHA256" },
};

/* Fetched once: a fetch by name takes a lock and a search. */
static EVP_KDF *hkdf;
static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;

static void fetch(void)
{
	hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
}

const struct hd_tls_suite *hd_tls_suite_find(uint16_t id)
{
	pthread_once(&fetch_once, fetch);
	for (unsigned i = 0; i < HD_TLS_SUITES; i++)
		if (suites[i].id == id && hkdf != NULL &&
		    hd_aead_of(&suites[i]) != NULL)
			return &suites[i];
	return NULL;
}

unsigned hd_tls_suite_index(const struct hd_tls_suite *suite)
{
	return (unsigned)(suite - suites);
}

const struct hd_tls_suite *hd_tls_suite_at(unsigned index)
{
	return &suites[index];
}

/* ---- key schedule ---- */

struct hashed { /* a context: a hash, or nothing */
	uint8_t v[EVP_MAX_MD_SIZE];
	unsigned n;
};
#define LABEL_MAX_BYTES 200
#define INFO_MAX_BYTES (10 + LABEL_MAX_BYTES + EVP_MAX_MD_SIZE)

/* HkdfLabel of RFC 8446, 7.1. Returns its length. */
static size_t hkdf_label(uint8_t *to, const char *label,
			 const struct hashed *context, size_t out_bytes)
{
	size_t n = strlen(label);

	to[0] = (uint8_t)(out_bytes >> 8);
	to[1] = (uint8_t)out_bytes;
	to[2] = (uint8_t)(6 + n);
	memcpy(to + 3, "tls13 ", 6);
	memcpy(to + 9, label, n);
	to[9 + n] = (uint8_t)context->n;
	memcpy(to + 10 + n, context->v, context->n);
	return 10 + n + context->n;
}

static int expand_in(const struct hd_tls_suite *suite, const uint8_t *secret,
		     const char *label, const struct hashed *context,
		     uint8_t *out, size_t out_bytes)
{
	uint8_t info[INFO_MAX_BYTES];
	size_t info_bytes = hkdf_label(info, label, context, out_bytes);
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
						 (char *)suite->digest, 0),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_KEY, (void *)secret, suite->hash_bytes),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info,
						  info_bytes),
		OSSL_PARAM_construct_end(),
	};
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(hkdf);
	int ok =
		ctx != NULL && EVP_KDF_derive(ctx, out, out_bytes, params) == 1;

	EVP_KDF_CTX_free(ctx);
	return ok ? 0 : -EPROTO;
}

static int expand_label(const struct hd_tls_suite *suite, const uint8_t *secret,
			const char *label, uint8_t *out, size_t out_bytes)
{
	static const struct hashed nothing;

	return expand_in(suite, secret, label, &nothing, out, out_bytes);
}

int hd_tls_keys_derive(struct hd_tls_keys *k, const struct hd_tls_suite *suite)
{
	int r = expand_label(suite, k->secret, "key", k->key, suite->key_bytes);

	if (r == 0)
		r = expand_label(suite, k->secret, "iv", k->iv, sizeof(k->iv));
	k->seq = 0;
	return r;
}

int hd_tls_keys_update(struct hd_tls_keys *k, const struct hd_tls_suite *suite)
{
	uint8_t next[HD_TLS_SECRET_MAX_BYTES];
	int r = expand_label(suite, k->secret, "traffic upd", next,
			     suite->hash_bytes);

	if (r == 0) {
		memcpy(k->secret, next, suite->hash_bytes);
		r = hd_tls_keys_derive(k, suite);
	}
	OPENSSL_cleanse(next, sizeof(next));
	return r;
}

/* ---- exporter ---- */

static int hash(const struct hd_tls_suite *suite, const void *data, size_t n,
		struct hashed *ret)
{
	int ok = EVP_Q_digest(NULL, suite->digest, NULL, data, n, ret->v, NULL);

	ret->n = suite->hash_bytes;
	return ok == 1 ? 0 : -EPROTO;
}

int hd_tls_keys_export(const uint8_t *secret, const struct hd_tls_suite *suite,
		       const char *label, const void *context,
		       size_t context_bytes, uint8_t *out, size_t out_bytes)
{
	uint8_t derived[HD_TLS_SECRET_MAX_BYTES];
	struct hashed empty, of_context;
	int r;

	if (strlen(label) > LABEL_MAX_BYTES ||
	    out_bytes > HD_TLS_EXPORT_MAX_BYTES)
		return -EINVAL;
	r = hash(suite, "", 0, &empty);
	if (r == 0)
		r = hash(suite, context, context_bytes, &of_context);
	if (r == 0)
		r = expand_in(suite, secret, label, &empty, derived,
			      suite->hash_bytes);
	if (r == 0)
		r = expand_in(suite, derived, "exporter", &of_context, out,
			      out_bytes);
	OPENSSL_cleanse(derived, sizeof(derived));
	return r;
}
