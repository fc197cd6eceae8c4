/* SPDX-License-Identifier: MIT */
/* core/tls.h - the TLS seam. Behind it a connection is OpenSSL's or ours; the
 * stream never knows. Two halves: the store (certificates and contexts, one
 * per configuration, shared by all workers) and the connection. */
#pragma once
#include <hyper-derp/base.h>
#include <openssl/ssl.h>
#include "core/conf.h"

/* ---- store: core/tls_store.c, core/tls_self.c; main thread ---- */

struct hd_tls_store;

/* hd_tls_store_new - read and check every certificate and key: dates, that key
 * and certificate match, permissions. Certificates are chosen by SNI (exact,
 * then wildcard; the first one answers everything else). TLS 1.2 and 1.3, no
 * tickets, no renegotiation, ALPN http/1.1 or none (an offer without it is
 * refused, alert 120), server preference AES-128 first, ChaCha20 for clients
 * that put it first.
 * Chains get every certificate of hd_tls_chain_append() behind them, as far as
 * it was called before. RSA and ECDSA certificates for the same names are both
 * offered. A connection holds a reference until its handshake is over.
 * Returns 0, or negative with "failed to open certificate PATH: …" in err. */
int hd_tls_store_new(const struct hd_conf *conf, struct hd_tls_store **ret,
		     struct hd_error *err);
struct hd_tls_store *hd_tls_store_get(struct hd_tls_store *store);
void hd_tls_store_put(struct hd_tls_store **store); /* any thread */
/* hd_tls_store_ctx - what SSL_new() takes; the server name may lead to another
 * context, which is set up in the same way. */
SSL_CTX *hd_tls_store_ctx(struct hd_tls_store *store);
/* hd_tls_chain_free - what a module appended; NULL: all. */
void hd_tls_chain_free(struct hd_module *mod);

/* hd_tls_self_signed - make dir/NAME.crt and dir/NAME.key (0600, ECDSA P-256,
 * 10 years, subject alternative names: every name, and addresses as IP) unless
 * they are there, belong together, have the names and are still valid for a
 * month. NAME is the first of names. The folder must exist. Main thread.
 * Returns 0; negative errno. */
int hd_tls_self_signed(const char *dir, const char *const *names, size_t n,
		       char cert_path[static 256], char key_path[static 256],
		       struct hd_error *err);

/* ---- connection: core/tls.c; the stream's worker ---- */

struct hd_tls; /* per connection */
