/* SPDX-License-Identifier: MIT */
/* core/tls/hkdf.h - HKDF (RFC 5869) and TLS 1.3's labels for it (RFC 8446,
 * 7.1), over OpenSSL's hashes: fetched once, with a context for each thread.
 * OpenSSL's own looks up three algorithms by name for every secret. Any
 * thread. */
#pragma once
#include <hyper-derp/base.h>

#define HD_HASH_MAX_BYTES 48

struct hd_hash; /* SHA-256 or SHA-384 */
/* hd_hash_find - by any of OpenSSL's names; NULL: another one, or out of
 * memory. */
const struct hd_hash *hd_hash_find(const char *name);
size_t hd_hash_bytes(const struct hd_hash *hash);
/* hd_hash_nothing - the hash of no bytes. */
const uint8_t *hd_hash_nothing(const struct hd_hash *hash);

struct hd_bytes { /* borrowed */
	const void *p; /* NULL: none */
	size_t n;
};

/* hd_hkdf_extract - a secret from another one.
 * @salt  at most HD_HASH_MAX_BYTES; may be empty
 * @ret   hd_hash_bytes()
 * hd_hkdf_expand_label - a secret or a key from a secret.
 * @prefix   "tls13 "
 * @label    with the prefix at most 255 bytes
 * @context  may be empty; at most 255 bytes
 * @n        1 to 255 times hd_hash_bytes()
 * Return 0; -EINVAL too long; -EPROTO OpenSSL failed. Nothing secret stays
 * behind. */
int hd_hkdf_extract(const struct hd_hash *hash, struct hd_bytes salt,
		    struct hd_bytes secret, uint8_t *ret);
int hd_hkdf_expand_label(const struct hd_hash *hash, struct hd_bytes secret,
			 struct hd_bytes prefix, struct hd_bytes label,
			 struct hd_bytes context, uint8_t *ret, size_t n);
