/* SPDX-License-Identifier: MIT */
/* core/tls/exporter.c - keying material for protocols above TLS. With records
 * of ours the secret is kept from the handshake until a login is over: a
 * connection lives for weeks, and whoever reads its memory later shall not be
 * able to prove that he is its client. Source: RFC 8446, 7.5.
 * Context: the stream's worker. */
#include <errno.h>
#include <openssl/ssl.h>
#include <string.h>
#include "core/base/slab.h"
#include "core/tls/tls_conn.h"

static struct hd_slab slab = HD_SLAB(HD_TLS_SECRET_MAX_BYTES, true);

void hd_tls_forget(struct hd_tls *t)
{
	hd_slab_free(&slab, (void **)&t->exporter);
}

void hd_exporter_note(struct hd_tls *t, const uint8_t *secret, size_t n)
{
	if (t->exporter == NULL)
		t->exporter = hd_slab_alloc(&slab);
	if (t->exporter != NULL)
		memcpy(t->exporter, secret, n);
}

static int export_openssl(struct hd_tls *t, const char *label,
			  const void *context, size_t context_bytes,
			  uint8_t *out, size_t out_bytes)
{
	if (SSL_version(t->openssl.ssl) != TLS1_3_VERSION)
		return -EPROTONOSUPPORT;
	return SSL_export_keying_material(t->openssl.ssl, out, out_bytes, label,
					  strlen(label), context, context_bytes,
					  1) == 1
		       ? 0
		       : -EPROTO;
}

int hd_tls_suite_of(const struct hd_tls *t)
{
	const SSL_CIPHER *cipher;

	if (!t->ready)
		return -EAGAIN;
	if (hd_tls_is_own(t))
		return t->records->suite->id;
	cipher = SSL_get_current_cipher(t->openssl.ssl);
	if (cipher == NULL || SSL_version(t->openssl.ssl) != TLS1_3_VERSION ||
	    hd_tls_suite_find(SSL_CIPHER_get_protocol_id(cipher)) == NULL)
		return -EPROTONOSUPPORT;
	return SSL_CIPHER_get_protocol_id(cipher);
}

int hd_tls_export(struct hd_tls *t, const char *label, const void *context,
		  size_t context_bytes, uint8_t *out, size_t out_bytes)
{
	if (!t->ready)
		return -EAGAIN;
	if (!hd_tls_is_own(t))
		return export_openssl(t, label, context, context_bytes, out,
				      out_bytes);
	if (t->exporter == NULL)
		return -ESTALE;
	return hd_tls_keys_export(t->exporter, t->records->suite, label,
				  context, context_bytes, out, out_bytes);
}
