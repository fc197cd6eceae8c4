/* SPDX-License-Identifier: MIT */
/* modules/acme/keys.c - keys, requests, and the certificate of a challenge. */
#include "modules/acme/keys.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "modules/acme/jose.h"

#define DAY_S (24 * 60 * 60)
#define ID_PE_ACME_IDENTIFIER "1.3.6.1.5.5.7.1.31" /* RFC 8737, 6.1 */

/* ---- keys ---- */

EVP_PKEY *acme_key_new(void)
{
	return EVP_EC_gen("P-256");
}

static char *text_of(BIO *bio)
{
	char *data, *text = NULL;
	long n = BIO_get_mem_data(bio, &data);

	if (n > 0)
		text = strndup(data, (size_t)n);
	BIO_free(bio);
	return text;
}

char *acme_key_text(const EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_secmem());

	if (bio == NULL)
		return NULL;
	PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	return text_of(bio);
}

EVP_PKEY *acme_key_read(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"");

	BIO_free(bio);
	ERR_clear_error();
	return key;
}

void acme_key_free(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
	*key = NULL;
}

void acme_secret_free(char **text)
{
	if (*text != NULL)
		OPENSSL_cleanse(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

/* ---- names ---- */

bool acme_is_address(const char *host)
{
	uint8_t ip[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, ip) == 1 ||
	       inet_pton(AF_INET6, host, ip) == 1;
}

char *acme_host_text(const char *host)
{
	char buf[INET6_ADDRSTRLEN];
	uint8_t ip[sizeof(struct in6_addr)];
	char *text;

	if (inet_pton(AF_INET6, host, ip) == 1)
		host = inet_ntop(AF_INET6, ip, buf, sizeof(buf));
	text = strdup(host);
	for (char *p = text; p != NULL && *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return text;
}

const char *acme_server_name(const char *host, char buf[static 80])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t ip[sizeof(struct in6_addr)];
	char *p = buf;

	if (inet_pton(AF_INET, host, ip) == 1) {
		snprintf(buf, 80, "%u.%u.%u.%u.in-addr.arpa", ip[3], ip[2],
			 ip[1], ip[0]);
		return buf;
	}
	if (inet_pton(AF_INET6, host, ip) != 1)
		return host;
	for (int i = 15; i >= 0; i--) {
		*p++ = hex[ip[i] & 15];
		*p++ = '.';
		*p++ = hex[ip[i] >> 4];
		*p++ = '.';
	}
	strcpy(p, "ip6.arpa");
	return buf;
}

/* Not by OpenSSL's own little language: a name is data. */
static GENERAL_NAME *name_of(const char *host)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	uint8_t ip[sizeof(struct in6_addr)];
	bool v4 = inet_pton(AF_INET, host, ip) == 1;
	bool address = v4 || inet_pton(AF_INET6, host, ip) == 1;
	ASN1_STRING *s = address ? ASN1_OCTET_STRING_new()
				 : ASN1_IA5STRING_new();

	if (name == NULL || s == NULL ||
	    ASN1_STRING_set(s, address ? (const void *)ip : host,
			    address ? (v4 ? 4 : 16) : (int)strlen(host)) != 1) {
		GENERAL_NAME_free(name);
		ASN1_STRING_free(s);
		return NULL;
	}
	GENERAL_NAME_set0_value(name, address ? GEN_IPADD : GEN_DNS, s);
	return name;
}

static X509_EXTENSION *names_of(const char *const *hosts, size_t n)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	X509_EXTENSION *ext = NULL;
	size_t i = 0;

	for (; names != NULL && i < n; i++) {
		GENERAL_NAME *name = name_of(hosts[i]);

		if (name == NULL || sk_GENERAL_NAME_push(names, name) == 0) {
			GENERAL_NAME_free(name);
			break;
		}
	}
	if (names != NULL && i == n)
		ext = X509V3_EXT_i2d(NID_subject_alt_name, 0, names);
	GENERAL_NAMES_free(names);
	return ext;
}

/* ---- a request ---- */

static bool request_names(X509_REQ *req, const char *const *hosts, size_t n)
{
	STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
	X509_EXTENSION *ext = names_of(hosts, n);
	bool good = list != NULL && ext != NULL &&
		    sk_X509_EXTENSION_push(list, ext) > 0 &&
		    X509_REQ_add_extensions(req, list) == 1;

	X509_EXTENSION_free(ext);
	sk_X509_EXTENSION_free(list);
	return good;
}

char *acme_request(EVP_PKEY *key, const char *const *hosts, size_t n)
{
	X509_REQ *req = X509_REQ_new();
	uint8_t *der = NULL;
	char *text = NULL;
	int len;

	if (req != NULL && X509_REQ_set_version(req, X509_REQ_VERSION_1) == 1 &&
	    X509_REQ_set_pubkey(req, key) == 1 &&
	    request_names(req, hosts, n) &&
	    X509_REQ_sign(req, key, EVP_sha256()) > 0) {
		len = i2d_X509_REQ(req, &der);
		if (len > 0)
			text = acme_base64url(der, (size_t)len);
	}
	OPENSSL_free(der);
	X509_REQ_free(req);
	ERR_clear_error();
	return text;
}

/* ---- a challenge ---- */

/* An OCTET STRING within the one that every extension has. RFC 8737, 3. */
static X509_EXTENSION *identifier_of(const char *key_authorization)
{
	uint8_t value[2 + SHA256_DIGEST_LENGTH] = { V_ASN1_OCTET_STRING,
						    SHA256_DIGEST_LENGTH };
	ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
	ASN1_OBJECT *id = OBJ_txt2obj(ID_PE_ACME_IDENTIFIER, 1);
	X509_EXTENSION *ext = NULL;

	SHA256((const uint8_t *)key_authorization, strlen(key_authorization),
	       value + 2);
	if (s != NULL && id != NULL &&
	    ASN1_STRING_set(s, value, sizeof(value)) == 1)
		ext = X509_EXTENSION_create_by_OBJ(NULL, id, 1, s);
	ASN1_OBJECT_free(id);
	ASN1_STRING_free(s);
	return ext;
}

static bool add(X509 *cert, X509_EXTENSION *ext)
{
	bool good = ext != NULL && X509_add_ext(cert, ext, -1) == 1;

	X509_EXTENSION_free(ext);
	return good;
}

static bool fill(X509 *cert, EVP_PKEY *key, const char *host,
		 const char *key_authorization)
{
	X509_NAME *name = X509_get_subject_name(cert);

	return X509_set_version(cert, X509_VERSION_3) == 1 &&
	       ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) == 1 &&
	       X509_gmtime_adj(X509_getm_notBefore(cert), -DAY_S) != NULL &&
	       X509_gmtime_adj(X509_getm_notAfter(cert), 7 * DAY_S) != NULL &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
					  (const uint8_t *)"ACME challenge", -1,
					  -1, 0) == 1 &&
	       X509_set_issuer_name(cert, name) == 1 &&
	       X509_set_pubkey(cert, key) == 1 &&
	       add(cert, names_of(&host, 1)) &&
	       add(cert, identifier_of(key_authorization)) &&
	       X509_sign(cert, key, EVP_sha256()) > 0;
}

char *acme_challenge_pem(const char *host, const char *key_authorization)
{
	EVP_PKEY *key = acme_key_new();
	X509 *cert = X509_new();
	BIO *bio = BIO_new(BIO_s_secmem());
	char *text = NULL;

	if (key != NULL && cert != NULL && bio != NULL &&
	    fill(cert, key, host, key_authorization) &&
	    PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL,
					  NULL) == 1 &&
	    PEM_write_bio_X509(bio, cert) == 1)
		text = text_of(hd_steal(&bio));
	BIO_free(bio);
	X509_free(cert);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return text;
}
