/* SPDX-License-Identifier: MIT */
/* libhd/aead.c - what hyper-derp/aead.h says of sealing and opening, in a
 * client: by OpenSSL, which is here for TLS and has every suite. Of 1,204 bytes
 * it takes less time than GnuTLS does with ChaCha20-Poly1305, and than
 * libsodium's with each; GnuTLS is faster with AES, and not always there.
 * An expanded key is a cipher context. */
#include <errno.h>
#include <hyper-derp/aead.h>
#include <openssl/evp.h>
#include <string.h>

static EVP_CIPHER_CTX *context(const struct hd_aead_key *key)
{
	return (EVP_CIPHER_CTX *)key->expanded;
}

static const EVP_CIPHER *cipher(enum hd_aead_suite suite)
{
	switch (suite) {
	case HD_AEAD_AES_128_GCM:
		return EVP_aes_128_gcm();
	case HD_AEAD_AES_256_GCM:
		return EVP_aes_256_gcm();
	case HD_AEAD_CHACHA20_POLY1305:
		return EVP_chacha20_poly1305();
	}
	return NULL;
}

/* Returns 0; -ENOTSUP; -ENOMEM. */
static int make(struct hd_aead_key *key, int encrypt)
{
	const EVP_CIPHER *c = cipher(key->suite);
	EVP_CIPHER_CTX *ctx;

	if (key->expanded != NULL)
		return 0;
	if (c == NULL)
		return -ENOTSUP;
	ctx = EVP_CIPHER_CTX_new();
	if (ctx == NULL)
		return -ENOMEM;
	if (EVP_CipherInit_ex2(ctx, c, key->v, NULL, encrypt, NULL) != 1) {
		EVP_CIPHER_CTX_free(ctx);
		return -ENOTSUP;
	}
	key->expanded = (struct hd_cipher *)ctx;
	return 0;
}

void hd_aead_forget(struct hd_aead_key *key)
{
	EVP_CIPHER_CTX_free(context(key));
	key->expanded = NULL;
}

/* The head is said, the n bytes behind it go through. */
static bool run(EVP_CIPHER_CTX *ctx, const uint8_t *nonce, uint8_t *p,
		size_t head_bytes, size_t n)
{
	uint8_t *data = p + head_bytes;
	int len;

	return EVP_CipherInit_ex2(ctx, NULL, NULL, nonce, -1, NULL) == 1 &&
	       EVP_CipherUpdate(ctx, NULL, &len, p, (int)head_bytes) == 1 &&
	       EVP_CipherUpdate(ctx, data, &len, data, (int)n) == 1;
}

int hd_aead_seal(struct hd_worker *w, struct hd_aead_key *key,
		 const uint8_t nonce[HD_AEAD_NONCE_BYTES], uint8_t *p,
		 size_t head_bytes, size_t n)
{
	int r = make(key, 1), len;
	uint8_t *end = p + head_bytes + n;

	(void)w;
	if (r < 0)
		return r;
	if (run(context(key), nonce, p, head_bytes, n) &&
	    EVP_CipherFinal_ex(context(key), end, &len) == 1 &&
	    EVP_CIPHER_CTX_ctrl(context(key), EVP_CTRL_AEAD_GET_TAG,
				HD_AEAD_TAG_BYTES, end) == 1)
		return 0;
	return -EPROTO;
}

static bool opens(EVP_CIPHER_CTX *ctx, const uint8_t *nonce, uint8_t *p,
		  size_t head_bytes, size_t n)
{
	uint8_t *end = p + head_bytes + n;
	int len;

	return run(ctx, nonce, p, head_bytes, n) &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG,
				   HD_AEAD_TAG_BYTES, end) == 1 &&
	       EVP_CipherFinal_ex(ctx, end, &len) == 1;
}

int hd_aead_open(struct hd_worker *w, struct hd_aead_key *key,
		 const uint8_t nonce[HD_AEAD_NONCE_BYTES], uint8_t *p,
		 size_t head_bytes, size_t n)
{
	int r = make(key, 0);

	(void)w;
	if (r == 0 && !opens(context(key), nonce, p, head_bytes, n))
		r = -EBADMSG;
	if (r < 0)
		explicit_bzero(p + head_bytes, n);
	return r;
}
