/* SPDX-License-Identifier: MIT */
/* core/tls/hkdf.c - HKDF over OpenSSL's hashes. HMAC by hand (RFC 2104), since
 * OpenSSL's keeps its last key in its context. */
#include "core/tls/hkdf.h"
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_MAX_BYTES 128
#define LABEL_MAX_BYTES 255
#define INFO_MAX_BYTES (2 + 1 + LABEL_MAX_BYTES + 1 + LABEL_MAX_BYTES)

struct hd_hash {
	const char *name;
	size_t bytes, block_bytes;
	EVP_MD *md; /* never freed */
	uint8_t nothing[HD_HASH_MAX_BYTES];
};

static struct hd_hash hashes[] = {
	{ .name = "SHA2-256", .bytes = 32, .block_bytes = 64 },
	{ .name = "SHA2-384", .bytes = 48, .block_bytes = 128 },
};

/* ---- a thread's contexts: each is ready for a message ---- */

struct contexts {
	EVP_MD_CTX *v[HD_ARRAY_N(hashes)];
};
static pthread_key_t contexts_key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void contexts_free(void *contexts)
{
	struct contexts *c = contexts;

	for (unsigned i = 0; i < HD_ARRAY_N(c->v); i++)
		EVP_MD_CTX_free(c->v[i]);
	free(c);
}

static void set_up(void)
{
	hd_assert(pthread_key_create(&contexts_key, contexts_free) == 0);
	for (unsigned i = 0; i < HD_ARRAY_N(hashes); i++) {
		struct hd_hash *h = &hashes[i];

		h->md = EVP_MD_fetch(NULL, h->name, NULL);
		if (h->md != NULL && EVP_Digest("", 0, h->nothing, NULL, h->md,
						NULL) != 1) {
			EVP_MD_free(h->md);
			h->md = NULL;
		}
	}
}

static struct contexts *contexts(void)
{
	struct contexts *c = pthread_getspecific(contexts_key);

	if (c != NULL)
		return c;
	c = calloc(1, sizeof(*c));
	if (c != NULL && pthread_setspecific(contexts_key, c) != 0) {
		free(c);
		return NULL;
	}
	return c;
}

static EVP_MD_CTX *context_of(const struct hd_hash *h)
{
	struct contexts *c = contexts();
	EVP_MD_CTX **ctx = c != NULL ? &c->v[h - hashes] : NULL;

	if (ctx == NULL)
		return NULL;
	if (*ctx == NULL)
		*ctx = EVP_MD_CTX_new();
	if (*ctx != NULL && EVP_MD_CTX_get0_md(*ctx) == NULL &&
	    EVP_DigestInit_ex2(*ctx, h->md, NULL) != 1)
		return NULL;
	return *ctx;
}

/* ---- hashes ---- */

const struct hd_hash *hd_hash_find(const char *name)
{
	pthread_once(&once, set_up);
	for (unsigned i = 0; i < HD_ARRAY_N(hashes); i++)
		if (hashes[i].md != NULL && strcmp(hashes[i].name, name) == 0)
			return &hashes[i];
	for (unsigned i = 0; i < HD_ARRAY_N(hashes); i++)
		if (hashes[i].md != NULL && EVP_MD_is_a(hashes[i].md, name))
			return &hashes[i];
	return NULL;
}

size_t hd_hash_bytes(const struct hd_hash *hash)
{
	return hash->bytes;
}

const uint8_t *hd_hash_nothing(const struct hd_hash *hash)
{
	return hash->nothing;
}

/* ---- HMAC ---- */

/* The context begins anew, also when it failed: what it knew is gone. */
static bool finish(const struct hd_hash *h, EVP_MD_CTX *ctx, bool ok,
		   uint8_t *out)
{
	ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
	return EVP_DigestInit_ex2(ctx, h->md, NULL) == 1 && ok;
}

static bool add(EVP_MD_CTX *ctx, struct hd_bytes b)
{
	return b.n == 0 || EVP_DigestUpdate(ctx, b.p, b.n) == 1;
}

/* Of the largest block: its length is known when this is compiled. */
static void pad_with(uint8_t pad[static BLOCK_MAX_BYTES], uint8_t value)
{
	for (unsigned i = 0; i < BLOCK_MAX_BYTES; i++)
		pad[i] ^= value;
}

/* Source: RFC 2104, 2; keys longer than a block do not come. */
static int hmac(const struct hd_hash *h, struct hd_bytes key,
		const struct hd_bytes *parts, unsigned n_parts, uint8_t *out)
{
	const uint8_t inner = 0x36, outer = 0x5c;
	uint8_t pad[BLOCK_MAX_BYTES] = { 0 };
	struct hd_bytes block = { pad, h->block_bytes };
	EVP_MD_CTX *ctx = context_of(h);
	bool ok = true;

	if (ctx == NULL)
		return -EPROTO;
	if (key.n > 0)
		memcpy(pad, key.p, key.n);
	pad_with(pad, inner);
	ok = add(ctx, block);
	for (unsigned i = 0; i < n_parts; i++)
		ok = ok && add(ctx, parts[i]);
	ok = finish(h, ctx, ok, out);
	pad_with(pad, inner ^ outer);
	ok = ok && add(ctx, block) &&
	     add(ctx, (struct hd_bytes){ out, h->bytes });
	ok = finish(h, ctx, ok, out);
	explicit_bzero(pad, sizeof(pad));
	return ok ? 0 : -EPROTO;
}

/* ---- HKDF ---- */

int hd_hkdf_extract(const struct hd_hash *hash, struct hd_bytes salt,
		    struct hd_bytes secret, uint8_t *ret)
{
	if (salt.n > HD_HASH_MAX_BYTES)
		return -EINVAL;
	return hmac(hash, salt, &secret, 1, ret);
}

/* Source: RFC 5869, 2.3. */
static int expand(const struct hd_hash *h, struct hd_bytes secret,
		  struct hd_bytes info, uint8_t *ret, size_t n)
{
	uint8_t t[HD_HASH_MAX_BYTES], i = 0;
	struct hd_bytes parts[] = { { t, 0 }, info, { &i, 1 } };
	int r = 0;

	for (size_t at = 0; at < n && r == 0; at += parts[0].n) {
		i++;
		r = hmac(h, secret, parts, HD_ARRAY_N(parts), t);
		parts[0].n = h->bytes;
		if (r == 0)
			memcpy(ret + at, t, HD_MIN(h->bytes, n - at));
	}
	explicit_bzero(t, sizeof(t));
	return r;
}

static uint8_t *put(uint8_t *to, struct hd_bytes b)
{
	if (b.n > 0)
		memcpy(to, b.p, b.n);
	return to + b.n;
}

int hd_hkdf_expand_label(const struct hd_hash *hash, struct hd_bytes secret,
			 struct hd_bytes prefix, struct hd_bytes label,
			 struct hd_bytes context, uint8_t *ret, size_t n)
{
	uint8_t info[INFO_MAX_BYTES], *to = info;

	if (secret.n > HD_HASH_MAX_BYTES || prefix.n > LABEL_MAX_BYTES ||
	    label.n > LABEL_MAX_BYTES - prefix.n ||
	    context.n > LABEL_MAX_BYTES || n == 0 || n > 255 * hash->bytes)
		return -EINVAL;
	*to++ = (uint8_t)(n >> 8);
	*to++ = (uint8_t)n;
	*to++ = (uint8_t)(prefix.n + label.n);
	to = put(put(to, prefix), label);
	*to++ = (uint8_t)context.n;
	to = put(to, context);
	return expand(hash, secret,
		      (struct hd_bytes){ info, (size_t)(to - info) }, ret, n);
}
