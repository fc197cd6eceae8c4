/* SPDX-License-Identifier: MIT */
/* t/records/forge.c - see forge.h. Source: RFC 8446, 5.2, 5.3, 7.1 to 7.3. */
#include "t/records/forge.h"
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(ok)                                                               \
	do {                                                                   \
		if (!(ok)) {                                                   \
			fprintf(stderr, "forge: %s\n", #ok);                   \
			abort();                                               \
		}                                                              \
	} while (0)

static void expand(const struct forge *f, const char *label, uint8_t *out,
		   size_t n)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_TLS1_3_KDF, NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	OSSL_PARAM p[] = {
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
						 (char *)f->digest, 0),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_KEY, (void *)f->secret, f->hash_bytes),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX,
						  (void *)"tls13 ", 6),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL,
						  (void *)label, strlen(label)),
		OSSL_PARAM_construct_end(),
	};

	MUST(EVP_KDF_derive(ctx, out, n, p) == 1);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

static void derive(struct forge *f)
{
	expand(f, "key", f->key, f->key_bytes);
	expand(f, "iv", f->iv, sizeof(f->iv));
	f->seq = 0;
}

void forge_init(struct forge *f, uint16_t suite, const char *secret_hex)
{
	static const struct {
		const char *cipher, *digest;
		uint8_t key_bytes, hash_bytes;
	} suites[] = {
		{ "AES-128-GCM", "SHA256", 16, 32 },
		{ "AES-256-GCM", "SHA384", 32, 48 },
		{ "ChaCha20-Poly1305", "SHA256", 32, 32 },
	};
	unsigned i = suite - 0x1301u;
	size_t n;

	MUST(i < 3);
	*f = (struct forge){ .ctx = EVP_CIPHER_CTX_new(),
			     .cipher = suites[i].cipher,
			     .digest = suites[i].digest,
			     .key_bytes = suites[i].key_bytes,
			     .hash_bytes = suites[i].hash_bytes };
	MUST(sodium_hex2bin(f->secret, sizeof(f->secret), secret_hex,
			    strlen(secret_hex), NULL, &n, NULL) == 0);
	MUST(n == f->hash_bytes);
	derive(f);
}

void forge_free(struct forge *f)
{
	EVP_CIPHER_CTX_free(f->ctx);
	f->ctx = NULL;
}

void forge_update(struct forge *f)
{
	uint8_t next[48];

	expand(f, "traffic upd", next, f->hash_bytes);
	memcpy(f->secret, next, f->hash_bytes);
	derive(f);
}

static void begin(struct forge *f, int encrypt, const uint8_t *head)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, f->cipher, NULL);
	uint8_t nonce[12];
	int len;

	memcpy(nonce, f->iv, sizeof(nonce));
	for (int i = 0; i < 8; i++)
		nonce[4 + i] ^= (uint8_t)(f->seq >> (56 - 8 * i));
	f->seq++;
	MUST(EVP_CipherInit_ex2(f->ctx, cipher, f->key, nonce, encrypt, NULL) ==
	     1);
	MUST(EVP_CipherUpdate(f->ctx, NULL, &len, head, FORGE_HEAD_BYTES) == 1);
	EVP_CIPHER_free(cipher);
}

size_t forge_seal(struct forge *f, const uint8_t *inner, size_t n,
		  uint8_t *record)
{
	size_t len = n + FORGE_TAG_BYTES;
	uint8_t *p = record + FORGE_HEAD_BYTES;
	int out;

	MUST(n <= FORGE_INNER_MAX_BYTES);
	memcpy(record, (uint8_t[]){ 23, 3, 3 }, 3);
	record[3] = (uint8_t)(len >> 8);
	record[4] = (uint8_t)len;
	begin(f, 1, record);
	MUST(n == 0 || EVP_CipherUpdate(f->ctx, p, &out, inner, (int)n) == 1);
	MUST(EVP_CipherFinal_ex(f->ctx, p + n, &out) == 1);
	MUST(EVP_CIPHER_CTX_ctrl(f->ctx, EVP_CTRL_AEAD_GET_TAG, FORGE_TAG_BYTES,
				 p + n) == 1);
	return FORGE_HEAD_BYTES + len;
}

int forge_open(struct forge *f, const uint8_t *record, size_t n,
	       uint8_t *content, uint8_t *ret_type)
{
	const uint8_t *p = record + FORGE_HEAD_BYTES;
	int out, len = (int)n - FORGE_HEAD_BYTES - FORGE_TAG_BYTES;

	if (len < 1 || record[0] != 23)
		return -1;
	begin(f, 0, record);
	MUST(EVP_CIPHER_CTX_ctrl(f->ctx, EVP_CTRL_AEAD_SET_TAG, FORGE_TAG_BYTES,
				 (void *)(p + len)) == 1);
	if (EVP_CipherUpdate(f->ctx, content, &out, p, len) != 1 ||
	    EVP_CipherFinal_ex(f->ctx, content + len, &out) != 1)
		return -1;
	while (len > 0 && content[len - 1] == 0)
		len--;
	if (len == 0)
		return -1;
	*ret_type = content[len - 1];
	return len - 1;
}
