/* SPDX-License-Identifier: MIT */
/* core/tls/tls_client.c - is the server who it should be? Its certificate is
 * checked against CAs and a name, or against pins; what is wrong is said in
 * words for whoever runs the relay. Context: the stream's worker. */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <openssl/x509v3.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include "core/tls/tls_about.h"
#include "core/tls/tls_conn.h"
#include "core/tls/tls_pem.h"

static bool is_address(const char *name)
{
	struct in6_addr unused;

	return inet_pton(AF_INET, name, &unused) == 1 ||
	       inet_pton(AF_INET6, name, &unused) == 1;
}

int hd_tls_peer_ask(struct hd_tls_peer *p, SSL *ssl)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	int r = 1;

	p->error = 0;
	p->text[0] = '\0';
	if (p->server_name != NULL)
		r = (int)SSL_set_tlsext_host_name(ssl, p->server_name);
	if (r == 1 && p->alpn_len_bytes > 0)
		r = SSL_set_alpn_protos(ssl, p->alpn, p->alpn_len_bytes) == 0;
	if (r == 1 && !p->pin_only && is_address(p->cert_name))
		r = X509_VERIFY_PARAM_set1_ip_asc(param, p->cert_name);
	else if (r == 1 && !p->pin_only)
		r = X509_VERIFY_PARAM_set1_host(param, p->cert_name, 0);
	X509_VERIFY_PARAM_set_hostflags(param,
					X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return r == 1 ? 0 : -ENOMEM;
}

/* ---- during the handshake ---- */

static void hash_of(X509 *cert, uint8_t hash[HD_TLS_PIN_BYTES])
{
	unsigned n = 0;

	memset(hash, 0, HD_TLS_PIN_BYTES);
	X509_digest(cert, EVP_sha256(), hash, &n);
}

/* A certificate is public: nothing to compare in constant time. */
static bool is_pinned(const struct hd_tls_peer *p, X509 *cert)
{
	uint8_t hash[HD_TLS_PIN_BYTES];

	hash_of(cert, hash);
	for (unsigned i = 0; i < p->n_pins; i++)
		if (memcmp(p->pins[i], hash, sizeof(hash)) == 0)
			return true;
	return p->n_pins == 0;
}

static int check_dates(const X509 *cert)
{
	if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
		return X509_V_ERR_CERT_NOT_YET_VALID;
	if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
		return X509_V_ERR_CERT_HAS_EXPIRED;
	return X509_V_OK;
}

/* ---- why it fails ---- */

static int say_pin(struct hd_tls_peer *p, X509 *cert)
{
	uint8_t hash[HD_TLS_PIN_BYTES];
	char hex[2 * HD_TLS_PIN_BYTES + 1];

	hash_of(cert, hash);
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	snprintf(p->text, sizeof(p->text),
		 "its certificate is not the pinned one: it has sha256-raw:%s",
		 hex);
	return -EKEYREJECTED;
}

static int say_name(struct hd_tls_peer *p, X509 *cert)
{
	struct hd_tls_cert about = { 0 };
	const char *names = "";

	if (hd_tls_cert_read(cert, &about) == 0)
		names = about.names;
	snprintf(p->text, sizeof(p->text),
		 "its certificate is not for the name %s, but for %.120s",
		 p->cert_name, names[0] != '\0' ? names : "no name at all");
	hd_tls_cert_free(&about);
	return -EKEYREJECTED;
}

static int say_untrusted(struct hd_tls_peer *p, long why)
{
	bool dates = why == X509_V_ERR_CERT_NOT_YET_VALID ||
		     why == X509_V_ERR_CERT_HAS_EXPIRED;

	if (dates)
		snprintf(p->text, sizeof(p->text), "its certificate: %s",
			 X509_verify_cert_error_string(why));
	else
		snprintf(p->text, sizeof(p->text),
			 "its certificate is not trusted: %s (CAs: %.120s)",
			 X509_verify_cert_error_string(why),
			 p->ca_file != NULL ? p->ca_file : "the system's");
	return -EKEYREJECTED;
}

static int say_protocol(struct hd_tls_peer *p)
{
	const char *what = "TLS failed";

	switch (ERR_GET_REASON(ERR_peek_error())) {
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
	case SSL_R_UNEXPECTED_MESSAGE:
		what = "it does not speak TLS";
		break;
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
		what = "it does not speak TLS 1.3";
		break;
	default:
		break;
	}
	snprintf(p->text, sizeof(p->text), "%s: %s", what, hd_tls_reason());
	return -EPROTO;
}

/* OpenSSL forgets a certificate that it has refused: said while it is there. */
static void say(struct hd_tls_peer *p, int why, X509 *cert)
{
	if (why == X509_V_ERR_APPLICATION_VERIFICATION)
		p->error = say_pin(p, cert);
	else if (why == X509_V_ERR_HOSTNAME_MISMATCH ||
		 why == X509_V_ERR_IP_ADDRESS_MISMATCH)
		p->error = say_name(p, cert);
	else
		p->error = say_untrusted(p, why);
}

/* Returns X509_V_OK, or what is wrong. */
static int check(const struct hd_tls_peer *p, X509_STORE_CTX *chain,
		 X509 *cert)
{
	if (!is_pinned(p, cert))
		return X509_V_ERR_APPLICATION_VERIFICATION;
	if (p->pin_only)
		return check_dates(cert);
	if (X509_verify_cert(chain) == 1)
		return X509_V_OK;
	int e = X509_STORE_CTX_get_error(chain);

	return e != X509_V_OK ? e : X509_V_ERR_UNSPECIFIED;
}

int hd_tls_on_verify(X509_STORE_CTX *chain, void *unused)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(
		chain, SSL_get_ex_data_X509_STORE_CTX_idx());
	const struct hd_tls *t = SSL_get_app_data(ssl);
	X509 *cert = X509_STORE_CTX_get0_cert(chain);
	int e = X509_V_ERR_UNSPECIFIED;

	(void)unused;
	if (t->peer != NULL && cert != NULL)
		e = check(t->peer, chain, cert);
	if (e != X509_V_OK && t->peer != NULL && cert != NULL)
		say(t->peer, e, cert);
	X509_STORE_CTX_set_error(chain, e);
	return e == X509_V_OK;
}

void hd_tls_peer_failed(struct hd_tls_peer *p)
{
	if (p->error == 0)
		p->error = say_protocol(p);
	ERR_clear_error();
}
