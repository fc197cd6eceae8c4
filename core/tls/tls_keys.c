/* SPDX-License-Identifier: MIT */
/* core/tls/tls_keys.c - what comes from a traffic secret. */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include "core/tls/aead.h"
#include "core/tls/hkdf.h"

static const struct hd_tls_suite suites[HD_TLS_SUITES] = {
	/* RFC 8446, B.4 */
	{ 0x1301, 16, 32, true, "AES-128-GCM", "SHA2-256" },
	{ 0x1302, 32, 48, true, "AES-256-GCM", "SHA2-384" },
	{ 0x1303, 32, 32, false, "ChaCha20-Poly1305", "SHA2-256" },
};

const struct hd_tls_suite *hd_tls_suite_find(uint16_t id)
{
	for (unsigned i = 0; i < HD_TLS_SUITES; i++)
		if (suites[i].id == id && hd_aead_of(&suites[i]) != NULL)
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

static int expand_in(const struct hd_tls_suite *suite, const uint8_t *secret,
		     const char *label, const struct hashed *context,
		     uint8_t *out, size_t out_bytes)
{
	const struct hd_hash *h = hd_hash_find(suite->digest);

	if (h == NULL)
		return -EPROTO;
	return hd_hkdf_expand_label(
		h, (struct hd_bytes){ secret, suite->hash_bytes },
		(struct hd_bytes){ "tls13 ", 6 },
		(struct hd_bytes){ label, strlen(label) },
		(struct hd_bytes){ context->v, context->n }, out, out_bytes);
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
