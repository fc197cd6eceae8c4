/* SPDX-License-Identifier: MIT */
/* tools/hdctl/pem.c - what a certificate says. */
#include "tools/hdctl/pem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

static int failed(const char *path, const char *what, struct hd_error *err)
{
	int e = errno;

	ERR_clear_error();
	return hd_error_set(err, -EINVAL, "%s: %s", path,
			    what != NULL ? what : strerror(e));
}

static int read_chain(struct pem *p, const char *path, struct hd_error *err)
{
	FILE *f = fopen(path, "re");
	X509 *cert;

	if (f == NULL)
		return failed(path, NULL, err);
	p->leaf = PEM_read_X509(f, NULL, NULL, NULL);
	p->chain = sk_X509_new_null();
	while (p->leaf != NULL &&
	       (cert = PEM_read_X509(f, NULL, NULL, NULL)) != NULL)
		sk_X509_push(p->chain, cert);
	fclose(f);
	ERR_clear_error(); /* the end of the file is one */
	return p->leaf != NULL ? 0
			       : failed(path, "no certificate in PEM", err);
}

static int read_key(struct pem *p, const char *path, struct hd_error *err)
{
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return failed(path, NULL, err);
	/* the empty password: else OpenSSL asks the terminal */
	p->key = PEM_read_PrivateKey(f, NULL, NULL, (void *)"");
	fclose(f);
	return p->key != NULL
		       ? 0
		       : failed(path, "no private key in PEM without a "
				      "password", err);
}

int pem_read(struct pem *p, const char *cert_path, const char *key_path,
	     struct hd_error *err)
{
	int r = read_chain(p, cert_path, err);

	return r == 0 && key_path != NULL ? read_key(p, key_path, err) : r;
}

void pem_free(struct pem *p)
{
	X509_free(p->leaf);
	sk_X509_pop_free(p->chain, X509_free);
	EVP_PKEY_free(p->key);
	*p = (struct pem){ .leaf = NULL };
}

bool pem_key_fits(const struct pem *p)
{
	bool fits = X509_check_private_key(p->leaf, p->key) == 1;

	ERR_clear_error();
	return fits;
}

static bool is_address(const char *host)
{
	struct in6_addr addr;

	return inet_pton(AF_INET, host, &addr) == 1 ||
	       inet_pton(AF_INET6, host, &addr) == 1;
}

bool pem_is_for(X509 *cert, const char *host)
{
	return is_address(host)
		       ? X509_check_ip_asc(cert, host, 0) == 1
		       : X509_check_host(cert, host, 0, 0, NULL) == 1;
}

bool pem_self_signed(X509 *cert)
{
	return X509_self_signed(cert, 1) == 1;
}

static void add_name(const GENERAL_NAME *name, char *buf, size_t size)
{
	char text[256] = "";
	size_t n = strlen(buf);

	if (name->type == GEN_DNS)
		(void)snprintf(text, sizeof(text), "%.*s",
			       ASN1_STRING_length(name->d.dNSName),
			       (const char *)ASN1_STRING_get0_data(
				       name->d.dNSName));
	else if (name->type == GEN_IPADD)
		inet_ntop(ASN1_STRING_length(name->d.iPAddress) == 4 ? AF_INET
								     : AF_INET6,
			  ASN1_STRING_get0_data(name->d.iPAddress), text,
			  sizeof(text));
	if (text[0] != '\0' && n < size)
		(void)snprintf(buf + n, size - n, "%s%s", n > 0 ? ", " : "",
			       text);
}

const char *pem_names(X509 *cert, char buf[PEM_NAMES_BYTES])
{
	GENERAL_NAMES *all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL,
					      NULL);

	buf[0] = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++)
		add_name(sk_GENERAL_NAME_value(all, i), buf, PEM_NAMES_BYTES);
	GENERAL_NAMES_free(all);
	return buf[0] != '\0' ? buf : "no name";
}

char *pem_name_at(X509 *cert, int i)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL,
					      NULL);
	char *text = NULL;

	for (int k = 0; text == NULL && k < sk_GENERAL_NAME_num(all); k++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, k);

		if (name->type == GEN_DNS && i-- == 0)
			text = strndup((const char *)ASN1_STRING_get0_data(
					       name->d.dNSName),
				       (size_t)ASN1_STRING_length(
					       name->d.dNSName));
	}
	GENERAL_NAMES_free(all);
	return text;
}

/* Source: tailscale tlsdial, SetConfigExpectedCertHash: the SHA-256 of the
 * whole certificate. */
bool pem_pin(X509 *cert, char buf[PEM_PIN_BYTES])
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (X509_digest(cert, EVP_sha256(), hash, &len) != 1 || len != 32)
		return false;
	strcpy(buf, "sha256-raw:");
	for (unsigned i = 0; i < len; i++)
		(void)snprintf(buf + 11 + (size_t)2 * i, 3, "%02x", hash[i]);
	return true;
}

/* ---- one of our own ---- */

static bool add(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	bool done;

	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	done = ext != NULL && X509_add_ext(cert, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return done;
}

/* The relay's own ones are the same: core/tls/tls_self.c. */
static bool fill(X509 *cert, EVP_PKEY *key, const char *host)
{
	X509_NAME *name = X509_get_subject_name(cert);
	ASN1_INTEGER *serial = X509_get_serialNumber(cert);
	bool address = is_address(host);
	char names[300];
	uint64_t number = 0;

	(void)snprintf(names, sizeof(names), "%s:%s", address ? "IP" : "DNS",
		       host);
	return RAND_bytes((unsigned char *)&number, sizeof(number)) == 1 &&
	       ASN1_INTEGER_set_uint64(serial, number >> 1 | 1) == 1 &&
	       X509_set_version(cert, X509_VERSION_3) == 1 &&
	       X509_gmtime_adj(X509_getm_notBefore(cert), -86400) != NULL &&
	       X509_time_adj_ex(X509_getm_notAfter(cert), 3650, 0, NULL) &&
	       X509_set_pubkey(cert, key) == 1 &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
					  (const unsigned char *)(strlen(host) <
						64 ? host : "relay"),
					  -1, -1, 0) == 1 &&
	       X509_set_issuer_name(cert, name) == 1 &&
	       add(cert, NID_basic_constraints, "critical,CA:FALSE") &&
	       add(cert, NID_key_usage, "critical,digitalSignature") &&
	       add(cert, NID_ext_key_usage, "serverAuth") &&
	       add(cert, NID_subject_alt_name, names) &&
	       X509_sign(cert, key, EVP_sha256()) > 0;
}

bool pem_make(struct pem *p, const char *host)
{
	p->key = EVP_EC_gen("P-256");
	p->leaf = X509_new();
	p->chain = sk_X509_new_null();
	return p->key != NULL && p->leaf != NULL && fill(p->leaf, p->key, host);
}
