/* SPDX-License-Identifier: MIT */
/* core/tls/aead.h - who encrypts records, and modules' datagrams: AES-GCM and
 * ChaCha20-Poly1305 behind a table of functions, one file a provider. OpenSSL
 * serves every suite on every machine; ipsec-mb those where this processor
 * makes it faster.
 * Context: hd_aead_start() in the main thread, before workers; the functions of
 * a provider in any thread, for one key in one thread at a time. */
#pragma once
#include <hyper-derp/aead.h>
#include "core/tls/tls_keys.h"

enum hd_crypto { /* tls: crypto: */
		 HD_CRYPTO_AUTO,
		 HD_CRYPTO_OPENSSL,
		 HD_CRYPTO_IPSEC_MB,
		 HD_CRYPTO_IPSEC_MB_AVX2, /* the code of older processors */
		 HD_CRYPTO_IPSEC_MB_SSE,
};

/* A record as it is on the wire, or a datagram: a head, which is authenticated,
 * then n bytes, at least one, then the tag. Of a record of TLS the head has so
 * many. */
#define HD_AEAD_HEAD_BYTES 5

struct hd_aead { /* what a provider does for a suite */
	const char *provider; /* "openssl", "ipsec-mb" */
	/* make - room for an expanded key. NULL: out of memory.
	 * drop - give it back, wiped.
	 * expand - returns 0; -EPROTO. */
	void *(*make)(const struct hd_tls_suite *suite);
	void (*drop)(void **key);
	int (*expand)(void *key, const uint8_t *bytes, bool encrypt);
	/* open - n bytes of plaintext to out, which is where the ciphertext is
	 * or does not overlap the record. Returns 0; -EBADMSG, out holds bytes
	 * nobody may see.
	 * seal - in place; n bytes become ciphertext, the tag goes behind.
	 * Returns 0; -EPROTO. */
	int (*open)(void *key, const uint8_t nonce[HD_TLS_IV_BYTES],
		    const uint8_t *record, size_t head_bytes, size_t n,
		    uint8_t *out);
	int (*seal)(void *key, const uint8_t nonce[HD_TLS_IV_BYTES],
		    uint8_t *record, size_t head_bytes, size_t n);
};

/* hd_aead_start - choose for each suite, after known answers were found right.
 * Until then OpenSSL serves all. Returns 0; -ENOTSUP: ipsec-mb is wanted and
 * cannot be had, err tells why. */
int hd_aead_start(enum hd_crypto crypto, struct hd_error *err);
/* hd_aead_serve - for tests: this one, without a question. NULL: OpenSSL. */
void hd_aead_serve(unsigned suite_index, const struct hd_aead *aead);
/* hd_aead_of - the chosen one. NULL: nobody has the suite. */
const struct hd_aead *hd_aead_of(const struct hd_tls_suite *suite);
/* hd_aead_about - "ipsec-mb 1.3.0 (avx512-vaes)" or "openssl": who serves
 * AES-GCM. */
const char *hd_aead_about(void);
/* hd_aead_log - one line about it. */
void hd_aead_log(void);

/* hd_aead_answers - known answers: sealed as they should be, opened again,
 * refused when a bit is changed. Returns whether all were right. */
bool hd_aead_answers(const struct hd_aead *aead,
		     const struct hd_tls_suite *suite);

/* ---- providers ---- */

/* hd_aead_evp - NULL: OpenSSL was built without it. */
const struct hd_aead *hd_aead_evp(const struct hd_tls_suite *suite);

enum hd_mb_code { /* which of its code */
		  HD_MB_BEST, /* AVX-512's, or else as HD_MB_TIMED */
		  HD_MB_SSE,
		  HD_MB_AVX,
		  HD_MB_AVX2,
		  HD_MB_AVX512,
		  HD_MB_TIMED, /* the fastest of the others, measured now */
};
/* hd_ipsec_mb_start - returns 0; -ENOTSUP, err tells why. Twice is fine. */
int hd_ipsec_mb_start(enum hd_mb_code code, struct hd_error *err);
/* hd_aead_ipsec_mb - NULL: leave this suite to OpenSSL. */
const struct hd_aead *hd_aead_ipsec_mb(const struct hd_tls_suite *suite);
const char *hd_ipsec_mb_about(void);
/* hd_mb_pick - of codes that took so many ns, the newest first: the index of
 * the one to take. An older one only where it saves 5 %. */
unsigned hd_mb_pick(const uint64_t *ns, unsigned n);
