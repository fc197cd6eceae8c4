/* SPDX-License-Identifier: MIT */
/* tools/hdbench/tls13.h - the record layer of TLS 1.3 (RFC 8446, 5 and 7), of
 * a connection whose handshake OpenSSL has done. SSL_write and SSL_read cost
 * about twice as much per record, and the load must not be what limits. */
#pragma once
#include "tools/hdbench/gcm.h"
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TLS13_HEADER_BYTES 5
#define TLS13_TAG_BYTES 16
#define TLS13_NONCE_BYTES 12
#define TLS13_SECRET_MAX_BYTES 48
#define TLS13_RECORD_MAX_BYTES (TLS13_HEADER_BYTES + 16384 + 256)
/* what a record adds to its content: header, type, tag */
#define TLS13_OVERHEAD_BYTES (TLS13_HEADER_BYTES + 1 + TLS13_TAG_BYTES)
/* AES-GCM wants a new key before 2^24.5 records (RFC 8446, 5.5). */
#define TLS13_REKEY_RECORDS (UINT64_C(1) << 24)

enum tls13_type { /* RFC 8446, B.1 */
		  TLS13_ALERT = 21,
		  TLS13_HANDSHAKE = 22,
		  TLS13_DATA = 23,
};

#define TLS13_KEY_UPDATE 24 /* a handshake message; B.3 */

struct tls13_suite;

struct tls13_secrets { /* collected from OpenSSL's key log */
	size_t bytes;
	uint8_t client[TLS13_SECRET_MAX_BYTES];
	uint8_t server[TLS13_SECRET_MAX_BYTES];
};

struct tls13_half { /* one direction */
	const struct tls13_suite *suite; /* NULL: no TLS */
	struct gcm_key *gcm; /* NULL: OpenSSL does it */
	EVP_CIPHER_CTX *ctx;
	uint64_t seq;
	bool is_seal;
	uint8_t iv[TLS13_NONCE_BYTES];
	uint8_t secret[TLS13_SECRET_MAX_BYTES];
};

/* tls13_client_ctx - TLS 1.3 only, suites in the order of real (Go) clients;
 * collects secrets into what SSL_set_app_data() names. NULL: no memory. */
SSL_CTX *tls13_client_ctx(void);

/* tls13_half_start - keys from a secret. @cipher of SSL_get_current_cipher().
 * Returns 0; -EOPNOTSUPP a suite we do not have; -ENOMEM. */
int tls13_half_start(struct tls13_half *h, uint16_t suite_id,
		     const uint8_t *secret, bool is_seal);
void tls13_half_end(struct tls13_half *h);

/* tls13_rekey - go on with the next secret (KeyUpdate). Returns 0; -ENOMEM. */
int tls13_rekey(struct tls13_half *h);

/* tls13_seal - one record.
 * @in   content and behind it its type (one byte, counted in len_bytes)
 * @out  needs len_bytes + TLS13_OVERHEAD_BYTES - 1; not the same as in
 * Returns the record's length; 0 if OpenSSL failed. */
size_t tls13_seal(struct tls13_half *h, uint8_t *out, const uint8_t *in,
		  size_t len_bytes);

/* tls13_open - decrypt one complete record in place; the content begins at
 * record + TLS13_HEADER_BYTES. Returns its length; -EBADMSG. */
ssize_t tls13_open(struct tls13_half *h, uint8_t *record, size_t len_bytes,
		   enum tls13_type *ret_type);

/* Length of the record that starts here; needs its header. */
static inline size_t tls13_record_bytes(const uint8_t *header)
{
	return TLS13_HEADER_BYTES + ((size_t)header[3] << 8 | header[4]);
}
