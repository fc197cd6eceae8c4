/* SPDX-License-Identifier: MIT */
/* core/tls/tls_conn.h - a TLS connection's inside, for core/tls/tls*.c only. */
#pragma once
#include "core/tls/records.h"
#include "core/tls/tls.h"
#include "core/tls/tls_ssl.h"

/* hd_alpn_read - what was chosen, from an SSL object that will be freed. */
void hd_alpn_read(struct hd_alpn *alpn, const SSL *ssl);

struct hd_tls {
	struct hd_ssl openssl; /* .ssl is NULL once the records are ours */
	struct hd_tls_store *store; /* while OpenSSL needs its context */
	struct hd_records *records; /* in memory that no core dump has */
	bool ready;    /* the handshake is done */
	bool got_http;
	uint8_t secrets; /* how many of the two the key log has given */
	char *server_name;
	struct hd_chunk *partial; /* the front of a record */
	uint8_t kernel; /* HD_KTLS_ directions that are the kernel's */
};
