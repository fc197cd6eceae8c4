/* SPDX-License-Identifier: MIT */
/* core/tls/aead_evp.c - records encrypted by OpenSSL's EVP. A key is a cipher
 * context. */
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include "core/tls/aead.h"

/* Fetched once: a fetch by name takes a lock and a search. */
static EVP_CIPHER *ciphers[HD_TLS_SUITES];
static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;

static void fetch(void)
{
	for (unsigned i = 0; i < HD_TLS_SUITES; i++)
		ciphers[i] = EVP_CIPHER_fetch(
			NULL, hd_tls_suite_at(i)->cipher, NULL);
}

static void *evp_make(const struct hd_tls_suite *suite)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (ctx != NULL &&
	    EVP_CipherInit_ex2(ctx, ciphers[hd_tls_suite_index(suite)], NULL,
			       NULL, 1, NULL) != 1) {
		EVP_CIPHER_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

static void evp_drop(void **key)
{
	EVP_CIPHER_CTX_free(hd_steal(key));
}

static int evp_expand(void *key, const uint8_t *bytes, bool encrypt)
{
	return EVP_CipherInit_ex2(key, NULL, bytes, NULL, encrypt, NULL) == 1 ?
		       0 :
		       -EPROTO;
}

/* ---- one record ---- */

/* EVP_CipherInit_ex2() asks the provider for the nonce's length, a dozen string
 * comparisons a record. For GCM the parameter of EVP_CTRL_GCM_SET_IV_FIXED,
 * with its length -1 for a whole nonce, does the same in one call, and the tag
 * goes along: 515 to 443 ns for a record of 1,400 bytes. */
static OSSL_PARAM whole_nonce(const uint8_t *nonce)
{
	OSSL_PARAM p = OSSL_PARAM_construct_octet_string(
		OSSL_CIPHER_PARAM_AEAD_TLS1_IV_FIXED, (void *)nonce,
		(size_t)-1);

	return p;
}

static OSSL_PARAM tag_at(const uint8_t *tag)
{
	return OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG,
						 (void *)tag, HD_TLS_TAG_BYTES);
}

static bool gcm_begin(EVP_CIPHER_CTX *ctx, const uint8_t *nonce,
		      const uint8_t *tag)
{
	OSSL_PARAM p[] = { whole_nonce(nonce),
			   tag != NULL ? tag_at(tag) :
					 OSSL_PARAM_construct_end(),
			   OSSL_PARAM_construct_end() };

	return EVP_CIPHER_CTX_set_params(ctx, p) == 1;
}

static bool chacha_begin(EVP_CIPHER_CTX *ctx, const uint8_t *nonce,
			 const uint8_t *tag)
{
	OSSL_PARAM p[] = { tag_at(tag), OSSL_PARAM_construct_end() };

	return EVP_CipherInit_ex2(ctx, NULL, NULL, nonce, -1,
				  tag != NULL ? p : NULL) == 1;
}

static int open_begun(EVP_CIPHER_CTX *ctx, const uint8_t *record,
		      size_t head_bytes, size_t n, uint8_t *out)
{
	const uint8_t *in = record + head_bytes;
	int len;

	if (EVP_DecryptUpdate(ctx, NULL, &len, record, (int)head_bytes) != 1 ||
	    EVP_DecryptUpdate(ctx, out, &len, in, (int)n) != 1 ||
	    EVP_DecryptFinal_ex(ctx, out + n, &len) != 1)
		return -EBADMSG;
	return 0;
}

static int seal_begun(EVP_CIPHER_CTX *ctx, uint8_t *record, size_t head_bytes,
		      size_t n)
{
	uint8_t *p = record + head_bytes;
	OSSL_PARAM tag[] = { tag_at(p + n), OSSL_PARAM_construct_end() };
	int len;

	if (EVP_EncryptUpdate(ctx, NULL, &len, record, (int)head_bytes) != 1 ||
	    EVP_EncryptUpdate(ctx, p, &len, p, (int)n) != 1 ||
	    EVP_EncryptFinal_ex(ctx, p + n, &len) != 1 ||
	    EVP_CIPHER_CTX_get_params(ctx, tag) != 1)
		return -EPROTO;
	return 0;
}

static int gcm_open(void *key, const uint8_t *nonce, const uint8_t *record,
		    size_t head_bytes, size_t n, uint8_t *out)
{
	if (!gcm_begin(key, nonce, record + head_bytes + n))
		return -EBADMSG;
	return open_begun(key, record, head_bytes, n, out);
}

static int gcm_seal(void *key, const uint8_t *nonce, uint8_t *record,
		    size_t head_bytes, size_t n)
{
	return gcm_begin(key, nonce, NULL)
		       ? seal_begun(key, record, head_bytes, n)
		       : -EPROTO;
}

static int chacha_open(void *key, const uint8_t *nonce, const uint8_t *record,
		       size_t head_bytes, size_t n, uint8_t *out)
{
	if (!chacha_begin(key, nonce, record + head_bytes + n))
		return -EBADMSG;
	return open_begun(key, record, head_bytes, n, out);
}

static int chacha_seal(void *key, const uint8_t *nonce, uint8_t *record,
		       size_t head_bytes, size_t n)
{
	return chacha_begin(key, nonce, NULL)
		       ? seal_begun(key, record, head_bytes, n)
		       : -EPROTO;
}

const struct hd_aead *hd_aead_evp(const struct hd_tls_suite *suite)
{
#define EVP(open_fn, seal_fn)                                                  \
	{                                                                      \
		.provider = "openssl", .make = evp_make, .drop = evp_drop,     \
		.expand = evp_expand, .open = open_fn, .seal = seal_fn,        \
	}
	static const struct hd_aead gcm = EVP(gcm_open, gcm_seal);
	static const struct hd_aead chacha = EVP(chacha_open, chacha_seal);
#undef EVP

	pthread_once(&fetch_once, fetch);
	if (ciphers[hd_tls_suite_index(suite)] == NULL)
		return NULL;
	return suite->is_gcm ? &gcm : &chacha;
}
