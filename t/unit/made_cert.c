/* SPDX-License-Identifier: MIT */
/* t/unit/made_cert.c - see made_cert.h. */
#include "t/unit/made_cert.h"
#include "t/unit/unit.h"
#include <hyper-derp/log.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

char made_dir[] = "/tmp/hd-certs-XXXXXX";
char made_log[4096];

void __wrap_hd_log_write(enum hd_log_level level, const char *fmt, ...)
	HD_PRINTF(2, 3);
void __wrap_hd_log_write(enum hd_log_level level, const char *fmt, ...)
{
	va_list ap;

	(void)level;
	va_start(ap, fmt);
	vsnprintf(made_log, sizeof(made_log), fmt, ap);
	va_end(ap);
}

int made_set_up(void **state)
{
	(void)state;
	return mkdtemp(made_dir) == NULL;
}

int made_tear_down(void **state)
{
	char cmd[64];

	(void)state;
	hd_tls_chain_free(NULL);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", made_dir);
	return system(cmd);
}

EVP_PKEY *made_key(int type)
{
	return type == EVP_PKEY_RSA ? EVP_RSA_gen(2048)
	       : type == EVP_PKEY_ED25519
		       ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
		       : EVP_EC_gen("P-256");
}

X509 *made_x509(EVP_PKEY *key, const char *cn, const char *names, long from_s,
		long to_s)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);

	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 2);
	X509_gmtime_adj(X509_getm_notBefore(cert), from_s);
	X509_gmtime_adj(X509_getm_notAfter(cert), to_s);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
				   (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(cert, name);
	X509_set_pubkey(cert, key);
	if (names != NULL) {
		X509_EXTENSION *ext = X509V3_EXT_conf_nid(
			NULL, NULL, NID_subject_alt_name, names);

		X509_add_ext(cert, ext, -1);
		X509_EXTENSION_free(ext);
	}
	assert_true(X509_sign(cert, key,
			      EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519
				      ? NULL
				      : EVP_sha256()) > 0);
	return cert;
}

struct made_cert made_dated(const char *cn, const char *names, int type,
			    long from_s, long to_s)
{
	static unsigned n;
	struct made_cert m = { .files = { .file = "relay.yaml", .line = 7 } };
	EVP_PKEY *key = made_key(type);
	X509 *cert = made_x509(key, cn, names, from_s, to_s);
	FILE *f;

	n++;
	snprintf(m.cert, sizeof(m.cert), "%s/%u.crt", made_dir, n);
	snprintf(m.key, sizeof(m.key), "%s/%u.key", made_dir, n);
	f = fopen(m.cert, "w");
	PEM_write_X509(f, cert);
	fclose(f);
	f = fopen(m.key, "w");
	fchmod(fileno(f), 0600);
	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	X509_free(cert);
	EVP_PKEY_free(key);
	return m;
}

struct made_cert made(const char *cn, const char *names)
{
	return made_dated(cn, names, EVP_PKEY_EC, -DAY_S, DAY_S);
}

int made_store(struct made_cert *v, size_t n, struct hd_tls_store **ret,
	       struct hd_error *err)
{
	struct hd_cert_files certs[8];

	for (size_t i = 0; i < n; i++) {
		certs[i] = v[i].files;
		certs[i].cert = v[i].cert;
		certs[i].key = v[i].key;
		certs[i].key_file = v[i].files.file;
		certs[i].key_line = v[i].files.line + 1;
	}
	made_log[0] = '\0';
	return hd_tls_store_new(certs, n, ret, err);
}

void made_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

void made_append(const char *to, const char *from)
{
	char text[8192];
	FILE *f = fopen(from, "r");
	size_t n = fread(text, 1, sizeof(text), f);

	fclose(f);
	f = fopen(to, "a");
	fwrite(text, 1, n, f);
	fclose(f);
}
