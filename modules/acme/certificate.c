/* SPDX-License-Identifier: MIT */
/* modules/acme/certificate.c - what a chain says: for whom, until when. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "modules/acme/jose.h"
#include "modules/acme/keys.h"

static X509 *first_of(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	ERR_clear_error();
	return cert;
}

static int64_t seconds(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? timegm(&tm) : 0;
}

static bool has(X509 *cert, const char *host)
{
	if (acme_is_address(host))
		return X509_check_ip_asc(cert, host, 0) == 1;
	return X509_check_host(cert, host, 0, 0, NULL) == 1;
}

/* The bytes of the number as DER has them: a zero in front when the first bit
 * is set. RFC 9773, 4.1. */
static char *serial_text(X509 *cert)
{
	uint8_t *der = NULL;
	int n = i2d_ASN1_INTEGER(X509_get_serialNumber(cert), &der);
	char *text = n > 2 ? acme_base64url(der + 2, (size_t)n - 2) : NULL;

	OPENSSL_free(der);
	return text;
}

static void set_id(X509 *cert, char *ret, size_t size)
{
	const ASN1_OCTET_STRING *by = X509_get0_authority_key_id(cert);
	char *serial = serial_text(cert), *signer = NULL;

	if (by != NULL)
		signer = acme_base64url(ASN1_STRING_get0_data(by),
					(size_t)ASN1_STRING_length(by));
	ret[0] = '\0';
	if (serial != NULL && signer != NULL &&
	    snprintf(ret, size, "%s.%s", signer, serial) >= (int)size)
		ret[0] = '\0';
	free(serial);
	free(signer);
}

static void set_hash(const X509 *cert, uint64_t *ret)
{
	uint8_t hash[EVP_MAX_MD_SIZE] = { 0 };

	X509_digest(cert, EVP_sha256(), hash, NULL);
	memcpy(ret, hash, sizeof(*ret));
}

static int check_hosts(X509 *cert, const char *const *hosts, size_t n,
		       struct hd_error *err)
{
	for (size_t i = 0; i < n; i++)
		if (!has(cert, hosts[i]))
			return hd_error_set(err, -EINVAL,
					    "the certificate is not for %s",
					    hosts[i]);
	return 0;
}

int acme_chain_about(const char *pem, const char *const *hosts, size_t n,
		     struct acme_about *ret, struct hd_error *err)
{
	X509 *cert = first_of(pem);
	int r;

	if (cert == NULL)
		return hd_error_set(err, -EINVAL, "it is not a certificate");
	r = check_hosts(cert, hosts, n, err);
	ret->not_before_s = seconds(X509_get0_notBefore(cert));
	ret->not_after_s = seconds(X509_get0_notAfter(cert));
	set_id(cert, ret->id, sizeof(ret->id));
	set_hash(cert, &ret->hash);
	X509_free(cert);
	ERR_clear_error();
	return r;
}
