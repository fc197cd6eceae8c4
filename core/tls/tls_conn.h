/* SPDX-License-Identifier: MIT */
/* core/tls/tls_conn.h - a TLS connection's inside, for core/tls/tls*.c only. */
#pragma once
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

/* hd_exporter_note - the secret of the key log, in hexadecimal. Without memory
 * for it hd_tls_export() fails later. */
void hd_exporter_note(struct hd_tls *tls, const char *hex);

struct hd_tls {
	struct hd_ssl openssl; /* .ssl is NULL once the records are ours */
	struct hd_tls_store *store; /* while OpenSSL needs its context */
	struct hd_tls_peer *peer; /* we are the client, and shake hands */
	struct hd_records *records; /* in memory that no core dump has */
	bool ready;    /* the handshake is done */
	bool got_http;
	uint8_t secrets; /* how many of the two the key log has given */
	uint8_t *exporter; /* the exporter_secret, in memory that no core dump
			      has, until hd_tls_forget(); NULL: none */
	char *server_name;
	struct hd_chunk *partial; /* the front of a record */
	uint8_t kernel; /* HD_KTLS_ directions that are the kernel's */
};
