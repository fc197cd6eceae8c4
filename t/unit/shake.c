/* SPDX-License-Identifier: MIT */
/* t/unit/shake.c - see shake.h. */
#include "t/unit/shake.h"
#include "t/unit/unit.h"
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

static void on_client_info(const SSL *ssl, int where, int value)
{
	struct shake *s = SSL_get_app_data(ssl);

	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
		s->alert = (unsigned)value & 0xff;
}

static void set_client(SSL *ssl, struct shake *s)
{
	SSL_set_app_data(ssl, s);
	SSL_set_info_callback(ssl, on_client_info);
	if (s->name != NULL)
		SSL_set_tlsext_host_name(ssl, s->name);
	if (s->alpn != NULL)
		SSL_set_alpn_protos(ssl, (const unsigned char *)s->alpn,
				    (unsigned)strlen(s->alpn));
	if (s->version != 0) {
		SSL_set_min_proto_version(ssl, s->version);
		SSL_set_max_proto_version(ssl, s->version);
	}
	if (s->ciphers != NULL)
		assert_int_equal(SSL_set_cipher_list(ssl, s->ciphers), 1);
	if (s->suites != NULL)
		assert_int_equal(SSL_set_ciphersuites(ssl, s->suites), 1);
	if (s->sigalgs != NULL)
		assert_int_equal(SSL_set1_sigalgs_list(ssl, s->sigalgs), 1);
}

static void note_result(SSL *ssl, struct shake *s)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
	const unsigned char *alpn;
	unsigned alpn_len;
	EVP_PKEY *key;

	s->n_cn = (unsigned)HD_MIN(sk_X509_num(chain), 8);
	for (unsigned i = 0; i < s->n_cn; i++)
		X509_NAME_get_text_by_NID(
			X509_get_subject_name(sk_X509_value(chain, (int)i)),
			NID_commonName, s->cn[i], sizeof(s->cn[i]));
	key = X509_get0_pubkey(sk_X509_value(chain, 0));
	s->key_type = EVP_PKEY_get_base_id(key);
	SSL_get0_alpn_selected(ssl, &alpn, &alpn_len);
	snprintf(s->alpn_got, sizeof(s->alpn_got), "%.*s", (int)alpn_len,
		 (const char *)alpn);
	snprintf(s->cipher, sizeof(s->cipher), "%s", SSL_get_cipher(ssl));
	snprintf(s->group, sizeof(s->group), "%s",
		 OBJ_nid2sn((int)SSL_get_negotiated_group(ssl)));
}

void shake(struct hd_tls_store *store, struct shake *s)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *client = SSL_new(ctx);
	SSL *server = SSL_new(hd_tls_store_ctx(store));
	BIO *a, *b;

	BIO_new_bio_pair(&a, 65536, &b, 65536);
	SSL_set_bio(client, a, a);
	SSL_set_bio(server, b, b);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	set_client(client, s);
	s->ok = false;
	s->alert = 0;
	for (unsigned i = 0; i < 10 && !s->ok; i++) {
		int c = SSL_do_handshake(client);
		int d = SSL_do_handshake(server);

		s->ok = c == 1 && d == 1;
	}
	if (s->ok)
		note_result(client, s);
	if (s->ok) { /* no ticket follows */
		char byte;

		SSL_read(client, &byte, 1);
		assert_int_equal(
			SSL_SESSION_has_ticket(SSL_get0_session(client)), 0);
	}
	ERR_clear_error();
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(ctx);
}

const char *cn_for(struct hd_tls_store *store, const char *name)
{
	static struct shake s;

	s = (struct shake){ .name = name };
	shake(store, &s);
	assert_true(s.ok);
	return s.cn[0];
}
