/* SPDX-License-Identifier: MIT */
/* core/tls/kdf.h - who derives the secrets of a TLS 1.3 handshake: a provider
 * of ours inside OpenSSL, with TLS13-KDF and X25519. It costs less than
 * OpenSSL's own, and hands out the secrets that records.c needs: else they come
 * by the key log, in hexadecimal. */
#pragma once
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* hd_kdf_start - load it. @on  false: contexts that are made from now on stay
 * with OpenSSL's. Main thread. Returns whether it serves. */
bool hd_kdf_start(bool on);
/* hd_kdf_properties - what SSL_CTX_new_ex() has to be told; NULL: off. */
const char *hd_kdf_properties(void);

/* hd_kdf_proven - whether a handshake of this context with itself, in memory,
 * gives every secret once: then it needs no key log. It is done once in the
 * life of the process.
 * @server  with a certificate and hd_kdf_properties() */
bool hd_kdf_proven(SSL_CTX *server);
/* hd_kdf_about - who derives: "own", "openssl". */
const char *hd_kdf_about(void);

enum hd_kdf_secret { /* RFC 8446, 7.1 */
		     HD_KDF_CLIENT_TRAFFIC,
		     HD_KDF_SERVER_TRAFFIC,
		     HD_KDF_EXPORTER,
		     HD_KDF_SECRETS,
};

struct hd_kdf_watch {
	/* on_secret - @secret  n bytes, HD_TLS_SECRET_MAX_BYTES at most;
	 * borrowed. Do not call OpenSSL. */
	void (*on_secret)(void *arg, enum hd_kdf_secret what,
			  const uint8_t *secret, size_t n);
	void *arg;
};
/* hd_kdf_watch - be told the secrets of the handshake step that this thread
 * takes next; NULL: it is over. */
void hd_kdf_watch(const struct hd_kdf_watch *watch);
