/* SPDX-License-Identifier: MIT */
/* core/tls/tls_conn.h - a TLS connection's inside, for core/tls/tls*.c only. */
#pragma once
#include "core/tls/kdf.h"
#include "core/tls/records.h"
#include "core/tls/tls.h"
#include "core/tls/tls_ssl.h"

/* hd_tls_peer_failed - we are the client: why the handshake failed, while
 * OpenSSL still knows. */
void hd_tls_peer_failed(struct hd_tls_peer *peer);
/* hd_tls_suites, hd_tls_groups - OpenSSL's words for what is used. */
extern const char hd_tls_suites[], hd_tls_groups[];

/* hd_alpn_read - what was chosen, from an SSL object that will be freed. */
void hd_alpn_read(struct hd_alpn *alpn, const SSL *ssl);

/* hd_exporter_note - the exporter_secret, HD_TLS_SECRET_MAX_BYTES at most.
 * Without memory for it hd_tls_export() fails later. */
void hd_exporter_note(struct hd_tls *tls, const uint8_t *secret, size_t n);

/* hd_tls_note_secret - for hd_kdf_watch(): of a connection with records.
 * hd_tls_has_secrets - those of both directions. */
void hd_tls_note_secret(void *tls, enum hd_kdf_secret what,
			const uint8_t *secret, size_t n);
bool hd_tls_has_secrets(const struct hd_tls *tls);

struct hd_tls {
	struct hd_ssl openssl; /* .ssl is NULL once the records are ours */
	struct hd_tls_store *store; /* while OpenSSL needs its context */
	struct hd_tls_peer *peer; /* we are the client, and shake hands */
	struct hd_records *records; /* in memory that no core dump has */
	bool ready;    /* the handshake is done */
	bool got_http;
	uint8_t secrets; /* which OpenSSL has given: bits of hd_kdf_secret */
	uint8_t *exporter; /* the exporter_secret, in memory that no core dump
			      has, until hd_tls_forget(); NULL: none */
	char *server_name;
	struct hd_chunk *partial; /* the front of a record */
	uint8_t kernel; /* HD_KTLS_ directions that are the kernel's */
};
