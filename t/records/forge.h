/* SPDX-License-Identifier: MIT */
/* t/records/forge.h - one direction of a TLS 1.3 connection in the test's own
 * hands: seals what no honest peer would, opens what comes back. It shares no
 * code with core/tls/records.c; the key schedule is OpenSSL's TLS13-KDF. */
#pragma once
#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FORGE_HEAD_BYTES 5
#define FORGE_TAG_BYTES 16
#define FORGE_PLAIN_MAX_BYTES 16384
#define FORGE_INNER_MAX_BYTES 20000 /* more than is allowed */
#define FORGE_RECORD_MAX_BYTES                                                 \
	(FORGE_HEAD_BYTES + FORGE_INNER_MAX_BYTES + FORGE_TAG_BYTES)

struct forge {
	EVP_CIPHER_CTX *ctx;
	const char *cipher, *digest;
	size_t key_bytes, hash_bytes;
	uint8_t secret[48], key[32], iv[12];
	uint64_t seq;
};

/* forge_init - from a line of a key log's third field. Aborts when it fails,
 * as do the others: a broken forge proves nothing. */
void forge_init(struct forge *f, uint16_t suite, const char *secret_hex);
void forge_free(struct forge *f);
void forge_update(struct forge *f); /* as behind a KeyUpdate */
/* forge_seal - @inner content, type, padding. Returns the record's bytes. */
size_t forge_seal(struct forge *f, const uint8_t *inner, size_t n,
		  uint8_t *record);
/* forge_open - @n of the whole record. Returns the content's bytes; -1. */
int forge_open(struct forge *f, const uint8_t *record, size_t n,
	       uint8_t *content, uint8_t *ret_type);
