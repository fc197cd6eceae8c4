/* SPDX-License-Identifier: MIT */
/* modules/derp/meta_cert.c - a certificate that certifies nothing: its subject
 * carries our public key and its serial number the protocol version. A client
 * that reads it in TLS 1.3 seals its login before we have said a word.
 * Source: tailscale 1.102, derp/derpserver (initMetacert) and derphttp
 * (parseMetaCert). derper's is valid for 30 days from its start; clients do not
 * look, but a relay that runs for longer should not show an expired one. */
#include "modules/derp/derp.h"
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#define META_NAME_PREFIX "derpkey"
#define META_BEFORE_S (30L * 24 * 3600) /* for clocks that are behind */
#define META_DAYS 3650

static void x509_free(X509 **x)
{
	X509_free(*x);
}

static void pkey_free(EVP_PKEY **pkey)
{
	EVP_PKEY_free(*pkey);
}

static void extension_free(X509_EXTENSION **ext)
{
	X509_EXTENSION_free(*ext);
}

/* The name is 71 bytes and X.509 wants at most 64: a plain string type, not
 * MBSTRING_UTF8, lets it pass. */
static bool set_names(X509 *x, const char *public_hex)
{
	char name[sizeof(META_NAME_PREFIX) + 2 * HD_KEY_BYTES];
	X509_NAME *subject = X509_get_subject_name(x);

	snprintf(name, sizeof(name), META_NAME_PREFIX "%s", public_hex);
	return X509_NAME_add_entry_by_NID(
		       subject, NID_commonName, V_ASN1_UTF8STRING,
		       (const unsigned char *)name, -1, -1, 0) == 1 &&
	       X509_set_issuer_name(x, subject) == 1;
}

/* macOS wants basic constraints where subject and issuer are the same, Windows
 * both dates. */
static bool set_fields(X509 *x)
{
	HD_AUTO(extension_free)
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(
		NULL, NULL, NID_basic_constraints, "critical,CA:FALSE");

	return ext != NULL && X509_add_ext(x, ext, -1) == 1 &&
	       X509_set_version(x, X509_VERSION_3) == 1 &&
	       ASN1_INTEGER_set(X509_get_serialNumber(x), DERP_VERSION) == 1 &&
	       X509_gmtime_adj(X509_getm_notBefore(x), -META_BEFORE_S) !=
		       NULL &&
	       X509_time_adj_ex(X509_getm_notAfter(x), META_DAYS, 0, NULL) !=
		       NULL;
}

int derp_meta_cert_make(const struct derp_server *server, uint8_t **ret_der,
			struct hd_error *err)
{
	HD_AUTO(pkey_free)
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	HD_AUTO(x509_free) X509 *x = X509_new();
	int n = -1;

	*ret_der = NULL;
	if (pkey != NULL && x != NULL && set_names(x, server->public_hex) &&
	    set_fields(x) && X509_set_pubkey(x, pkey) == 1 &&
	    X509_sign(x, pkey, NULL) > 0) /* Ed25519 has a hash of its own */
		n = i2d_X509(x, ret_der);
	if (n <= 0)
		return hd_error_set(err, -ENOTSUP,
				    "OpenSSL cannot make an Ed25519 "
				    "certificate, which DERP's fast start "
				    "needs");
	return n;
}
