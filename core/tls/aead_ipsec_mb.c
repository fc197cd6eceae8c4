/* SPDX-License-Identifier: MIT */
/* core/tls/aead_ipsec_mb.c - records encrypted by libipsec-mb, Intel's library
 * of hand-written code, in whole records at a time.
 *
 * What was looked up in its source (1.3), because its header does not say so:
 * - The functions for one record take nothing from the manager they are listed
 *   in: it is made once, they are copied, it is freed.
 * - They write the library's global error number, 0 unless a pointer is NULL or
 *   a length is out of bounds, which cannot be here; it is the same value from
 *   every thread, and never read.
 * - The library clears its registers and stack (SAFE_DATA); what is on our own
 *   stack, the context, we clear. */
#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>
#include "core/base/slab.h"
#include "core/tls/aead_ipsec_mb.h"

static struct hd_slab gcm_keys = HD_SLAB(sizeof(struct hd_mb_key), true);
static struct hd_slab chacha_keys = HD_SLAB(HD_TLS_KEY_MAX_BYTES, true);

static bool ready;
static struct hd_mb mb;

/* ---- AES-GCM ---- */

static void *gcm_make(const struct hd_tls_suite *suite)
{
	(void)suite;
	return hd_slab_alloc(&gcm_keys);
}

static void gcm_drop(void **key)
{
	hd_slab_free(&gcm_keys, key);
}

static int expand_128(void *key, const uint8_t *bytes, bool encrypt)
{
	(void)encrypt;
	mb.pre_128(bytes, key);
	return 0;
}

static int expand_256(void *key, const uint8_t *bytes, bool encrypt)
{
	(void)encrypt;
	mb.pre_256(bytes, key);
	return 0;
}

/* Constant time. */
static int tags_equal(const uint8_t *a, const uint8_t *b)
{
	return CRYPTO_memcmp(a, b, HD_TLS_TAG_BYTES) == 0 ? 0 : -EBADMSG;
}

static int gcm_open(aes_gcm_enc_dec_t decrypt, const void *key,
		    const uint8_t *nonce, const uint8_t *record,
		    size_t head_bytes, size_t n, uint8_t *out)
{
	const uint8_t *in = record + head_bytes;
	struct gcm_context_data ctx;
	uint8_t tag[HD_TLS_TAG_BYTES];
	int r;

	decrypt(key, &ctx, out, in, n, nonce, record, head_bytes, tag,
		sizeof(tag));
	r = tags_equal(tag, in + n);
	OPENSSL_cleanse(tag, sizeof(tag)); /* of use to a forger */
	OPENSSL_cleanse(&ctx, sizeof(ctx));
	return r;
}

static int gcm_seal(aes_gcm_enc_dec_t encrypt, const void *key,
		    const uint8_t *nonce, uint8_t *record, size_t head_bytes,
		    size_t n)
{
	uint8_t *p = record + head_bytes;
	struct gcm_context_data ctx;

	encrypt(key, &ctx, p, p, n, nonce, record, head_bytes, p + n,
		HD_TLS_TAG_BYTES);
	OPENSSL_cleanse(&ctx, sizeof(ctx));
	return 0;
}

static int open_128(void *key, const uint8_t *nonce, const uint8_t *record,
		    size_t head_bytes, size_t n, uint8_t *out)
{
	return gcm_open(mb.dec_128, key, nonce, record, head_bytes, n, out);
}

static int seal_128(void *key, const uint8_t *nonce, uint8_t *record,
		    size_t head_bytes, size_t n)
{
	return gcm_seal(mb.enc_128, key, nonce, record, head_bytes, n);
}

static int open_256(void *key, const uint8_t *nonce, const uint8_t *record,
		    size_t head_bytes, size_t n, uint8_t *out)
{
	return gcm_open(mb.dec_256, key, nonce, record, head_bytes, n, out);
}

static int seal_256(void *key, const uint8_t *nonce, uint8_t *record,
		    size_t head_bytes, size_t n)
{
	return gcm_seal(mb.enc_256, key, nonce, record, head_bytes, n);
}

/* ---- ChaCha20-Poly1305: nothing to expand ---- */

static void *chacha_make(const struct hd_tls_suite *suite)
{
	(void)suite;
	return hd_slab_alloc(&chacha_keys);
}

static void chacha_drop(void **key)
{
	hd_slab_free(&chacha_keys, key);
}

static int chacha_expand(void *key, const uint8_t *bytes, bool encrypt)
{
	(void)encrypt;
	memcpy(key, bytes, HD_TLS_KEY_MAX_BYTES);
	return 0;
}

static void chacha_run(chacha_poly_enc_dec_update_t update, const void *key,
		       const uint8_t *nonce, const uint8_t *head,
		       size_t head_bytes, size_t n, uint8_t *out, uint8_t *tag)
{
	struct chacha20_poly1305_context_data ctx;

	mb.chacha_init(key, &ctx, nonce, head, head_bytes);
	update(key, &ctx, out, head + head_bytes, n);
	mb.chacha_final(&ctx, tag, HD_TLS_TAG_BYTES);
	OPENSSL_cleanse(&ctx, sizeof(ctx));
}

static int chacha_open(void *key, const uint8_t *nonce, const uint8_t *record,
		       size_t head_bytes, size_t n, uint8_t *out)
{
	uint8_t tag[HD_TLS_TAG_BYTES];
	int r;

	chacha_run(mb.chacha_dec, key, nonce, record, head_bytes, n, out, tag);
	r = tags_equal(tag, record + head_bytes + n);
	OPENSSL_cleanse(tag, sizeof(tag));
	return r;
}

static int chacha_seal(void *key, const uint8_t *nonce, uint8_t *record,
		       size_t head_bytes, size_t n)
{
	uint8_t *p = record + head_bytes;

	chacha_run(mb.chacha_enc, key, nonce, record, head_bytes, n, p, p + n);
	return 0;
}

int hd_ipsec_mb_start(enum hd_mb_code code, struct hd_error *err)
{
	int r = hd_mb_take(code, &mb, err);

	ready = r == 0;
	return r;
}

const char *hd_ipsec_mb_about(void)
{
	return mb.about;
}

const struct hd_aead *hd_aead_ipsec_mb(const struct hd_tls_suite *suite)
{
#define MB(kind, expand_fn, open_fn, seal_fn)                                  \
	{                                                                      \
		.provider = "ipsec-mb", .make = kind##_make,                   \
		.drop = kind##_drop, .expand = expand_fn, .open = open_fn,     \
		.seal = seal_fn,                                               \
	}
	static const struct hd_aead aes_128 =
		MB(gcm, expand_128, open_128, seal_128);
	static const struct hd_aead aes_256 =
		MB(gcm, expand_256, open_256, seal_256);
	static const struct hd_aead chacha =
		MB(chacha, chacha_expand, chacha_open, chacha_seal);
#undef MB

	if (!ready)
		return NULL;
	if (suite->is_gcm)
		return suite->key_bytes == 16 ? &aes_128 : &aes_256;
	return mb.has_chacha ? &chacha : NULL;
}
