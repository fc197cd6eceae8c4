/* SPDX-License-Identifier: MIT */
/* core/tls/tls_ssl.h - OpenSSL's SSL object between memory and memory: for the
 * handshake, and afterwards for what our record layer does not do. */
#pragma once
#include "core/tls/tls.h"

struct hd_ssl {
	SSL *ssl;
	const uint8_t *in; /* received, not used yet */
	size_t in_left;
	const struct hd_tls_env *env; /* during a call */
	int failed; /* found behind data that was given out */
};

/* Return as their namesakes in core/tls/tls.h. */
int hd_ssl_init(struct hd_ssl *s, SSL_CTX *ctx, bool is_client);
void hd_ssl_free(struct hd_ssl *s);
int hd_ssl_handshake(struct hd_ssl *s, const struct hd_tls_env *env,
		     bool *ret_http);
int hd_ssl_open(struct hd_ssl *s, const struct hd_tls_env *env, uint8_t *out,
		size_t size);
int hd_ssl_seal(struct hd_ssl *s, const struct hd_tls_env *env,
		const struct hd_queue *plain);
void hd_ssl_close_notify(struct hd_ssl *s, const struct hd_tls_env *env);
