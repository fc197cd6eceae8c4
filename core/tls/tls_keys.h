/* SPDX-License-Identifier: MIT */
/* core/tls/tls_keys.h - what a TLS 1.3 connection is after its handshake: per
 * direction a secret, a key, a nonce and a record number. Plain data: it can
 * be handed to another worker, to the kernel, or to new code.
 * Source: RFC 8446, 7.1 to 7.3. */
#pragma once
#include <hyper-derp/base.h>

#define HD_TLS_SECRET_MAX_BYTES 48
#define HD_TLS_KEY_MAX_BYTES 32
#define HD_TLS_IV_BYTES 12
#define HD_TLS_TAG_BYTES 16

struct hd_tls_suite { /* one of three; the rest stays with OpenSSL */
	uint16_t id; /* on the wire */
	uint8_t key_bytes, hash_bytes;
	bool is_gcm;
	const char *cipher, *digest; /* OpenSSL's names */
};
/* Returns NULL: not one of ours. */
const struct hd_tls_suite *hd_tls_suite_find(uint16_t id);
unsigned hd_tls_suite_index(const struct hd_tls_suite *suite);
#define HD_TLS_SUITES 3
const struct hd_tls_suite *hd_tls_suite_at(unsigned index);

struct hd_tls_keys { /* one direction */
	uint64_t seq; /* of the next record */
	uint8_t iv[HD_TLS_IV_BYTES];
	uint8_t key[HD_TLS_KEY_MAX_BYTES];
	uint8_t secret[HD_TLS_SECRET_MAX_BYTES];
};

/* hd_tls_keys_derive - key and iv from the secret; seq becomes 0.
 * hd_tls_keys_update - the next secret (KeyUpdate), then derive.
 * Return 0; -EPROTO OpenSSL failed. */
int hd_tls_keys_derive(struct hd_tls_keys *keys,
		       const struct hd_tls_suite *suite);
int hd_tls_keys_update(struct hd_tls_keys *keys,
		       const struct hd_tls_suite *suite);

/* hd_tls_keys_export - keying material for a protocol above TLS. Source: RFC
 * 8446, 7.5.
 * @secret   the exporter_secret (exporter_master_secret) of the connection
 * @context  may be empty
 * Returns 0; -EINVAL label or output too long; -EPROTO OpenSSL failed. */
#define HD_TLS_EXPORT_MAX_BYTES 4096
int hd_tls_keys_export(const uint8_t *secret, const struct hd_tls_suite *suite,
		       const char *label, const void *context,
		       size_t context_bytes, uint8_t *out, size_t out_bytes);
