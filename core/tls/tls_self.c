/* SPDX-License-Identifier: MIT */
/* core/tls/tls_self.c - a self-signed certificate, for --dev and first
 * steps. */
#include "core/tls/tls.h"
#include "core/tls/tls_pem.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define DAY_S (24 * 60 * 60)
#define VALID_DAYS 3650
#define RENEW_DAYS 30
#define PATH_BYTES 256

static void cert_free(X509 **cert)
{
	X509_free(*cert);
	*cert = NULL;
}

static void key_free(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
	*key = NULL;
}

static bool is_address(const char *name)
{
	uint8_t ip[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, ip) == 1 ||
	       inet_pton(AF_INET6, name, ip) == 1;
}

/* The names go through OpenSSL's own little language, and into a path. */
static bool is_plain_name(const char *name)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789.-_:";

	return *name != '\0' && *name != '.' &&
	       name[strspn(name, good)] == '\0';
}

/* ---- is the one that is there good enough? ---- */

static X509 *read_cert(const char *path)
{
	FILE *f = fopen(path, "re");
	X509 *cert;

	if (f == NULL)
		return NULL;
	cert = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	return cert;
}

static EVP_PKEY *read_key(const char *path)
{
	FILE *f = fopen(path, "re");
	EVP_PKEY *key;

	if (f == NULL)
		return NULL;
	key = PEM_read_PrivateKey(f, NULL, NULL, (void *)"");
	fclose(f);
	return key;
}

static bool has_name(X509 *cert, const char *name)
{
	if (is_address(name))
		return X509_check_ip_asc(cert, name, 0) == 1;
	return X509_check_host(cert, name, 0, 0, NULL) == 1;
}

static bool good_enough(const char *cert_path, const char *key_path,
			const char *const *names, size_t n)
{
	HD_AUTO(cert_free) X509 *cert = read_cert(cert_path);
	HD_AUTO(key_free) EVP_PKEY *key = read_key(key_path);
	time_t soon = time(NULL) + RENEW_DAYS * DAY_S;

	if (cert == NULL || key == NULL ||
	    X509_check_private_key(cert, key) != 1 ||
	    X509_cmp_time(X509_get0_notAfter(cert), &soon) < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!has_name(cert, names[i]))
			return false;
	return true;
}

/* ---- making one ---- */

static bool add_ext(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	int r;

	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (ext == NULL)
		return false;
	r = X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
	return r == 1;
}

static bool add_names(X509 *cert, const char *const *names, size_t n)
{
	char list[1024];
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		int len =
			snprintf(list + at, sizeof(list) - at, "%s%s:%s",
				 i > 0 ? "," : "",
				 is_address(names[i]) ? "IP" : "DNS", names[i]);

		if (len < 0 || (size_t)len >= sizeof(list) - at)
			return false;
		at += (size_t)len;
	}
	return add_ext(cert, NID_subject_alt_name, list);
}

static bool set_serial(X509 *cert)
{
	unsigned char b[8];
	uint64_t serial;

	if (RAND_bytes(b, sizeof(b)) != 1)
		return false;
	memcpy(&serial, b, sizeof(b));
	return ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert),
				       serial >> 1 | 1) == 1;
}

static bool fill(X509 *cert, EVP_PKEY *key, const char *const *names, size_t n)
{
	X509_NAME *name = X509_get_subject_name(cert);

	/* a day back: clocks differ */
	return X509_set_version(cert, X509_VERSION_3) == 1 &&
	       set_serial(cert) &&
	       X509_gmtime_adj(X509_getm_notBefore(cert), -DAY_S) != NULL &&
	       X509_gmtime_adj(X509_getm_notAfter(cert),
			       (long)VALID_DAYS * DAY_S) != NULL &&
	       X509_set_pubkey(cert, key) == 1 &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
					  (const unsigned char *)names[0], -1,
					  -1, 0) == 1 &&
	       X509_set_issuer_name(cert, name) == 1 &&
	       add_ext(cert, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_ext(cert, NID_key_usage, "critical,digitalSignature") &&
	       add_ext(cert, NID_ext_key_usage, "serverAuth") &&
	       add_names(cert, names, n) &&
	       X509_sign(cert, key, EVP_sha256()) > 0;
}

/* ---- files ---- */

static int write_pem(const char *path, const X509 *cert, const EVP_PKEY *key)
{
	char tmp[PATH_BYTES + 8];
	FILE *f;
	int fd, r = 0;

	snprintf(tmp, sizeof(tmp), "%s.XXXXXX", path);
	fd = mkostemp(tmp, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		return -errno;
	f = fdopen(fd, "w");
	if (f == NULL) {
		r = -errno;
		close(fd);
	} else {
		if ((key != NULL ? PEM_write_PKCS8PrivateKey(f, key, NULL, NULL,
							     0, NULL, NULL)
				 : PEM_write_X509(f, cert)) != 1)
			r = -EIO;
		if (r == 0 && (fflush(f) != 0 || fsync(fd) < 0))
			r = -errno;
		if (fclose(f) != 0 && r == 0)
			r = -errno;
	}
	if (r == 0 && rename(tmp, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(tmp);
	return r;
}

static int make(const char *cert_path, const char *key_path,
		const char *const *names, size_t n, struct hd_error *err)
{
	HD_AUTO(key_free) EVP_PKEY *key = EVP_EC_gen("P-256");
	HD_AUTO(cert_free) X509 *cert = X509_new();
	int r;

	if (key == NULL || cert == NULL || !fill(cert, key, names, n))
		return hd_error_set(err, -EINVAL,
				    "self-signed certificate for %s: %s",
				    names[0], hd_tls_reason());
	r = write_pem(key_path, NULL, key);
	if (r < 0)
		return hd_error_set(err, r, "cannot write %s: %s", key_path,
				    strerror(-r));
	r = write_pem(cert_path, cert, NULL);
	if (r < 0)
		return hd_error_set(err, r, "cannot write %s: %s", cert_path,
				    strerror(-r));
	return 0;
}

static int set_paths(const char *dir, const char *name, char *cert_path,
		     char *key_path, struct hd_error *err)
{
	if (snprintf(cert_path, PATH_BYTES, "%s/%s.crt", dir, name) <
		    PATH_BYTES &&
	    snprintf(key_path, PATH_BYTES, "%s/%s.key", dir, name) < PATH_BYTES)
		return 0;
	return hd_error_set(err, -ENAMETOOLONG,
			    "self-signed certificate: path too long: "
			    "%s/%s.crt",
			    dir, name);
}

int hd_tls_self_signed(const char *dir, const char *const *names, size_t n,
		       char cert_path[static 256], char key_path[static 256],
		       struct hd_error *err)
{
	for (size_t i = 0; i < n; i++)
		if (!is_plain_name(names[i]))
			return hd_error_set(err, -EINVAL,
					    "self-signed certificate: '%s' is "
					    "neither a host name nor an "
					    "address",
					    names[i]);
	if (n == 0)
		return hd_error_set(err, -EINVAL,
				    "self-signed certificate: no name");
	int r = set_paths(dir, names[0], cert_path, key_path, err);
	if (r < 0)
		return r;
	bool there = good_enough(cert_path, key_path, names, n);
	ERR_clear_error();
	return there ? 0 : make(cert_path, key_path, names, n, err);
}

/* Made by root, read again after root has become somebody else. */
static int give_to_owner(const char *dir, const char *path,
			 struct hd_error *err)
{
	struct stat st;

	if (stat(dir, &st) == 0 &&
	    (geteuid() != 0 || chown(path, st.st_uid, st.st_gid) == 0))
		return 0;
	return hd_error_set(err, -errno,
			    "%s: cannot give it to the owner of %s: %s", path,
			    dir, strerror(errno));
}

/* Else it would be called damaged, and removed. */
static int check_access(const char *path, struct hd_error *err)
{
	if (access(path, R_OK) == 0 || errno == ENOENT)
		return 0;
	return hd_error_set(err, -EIO, "cannot read %s: %s", path,
			    strerror(errno));
}

int hd_tls_self_signed_check(const char *dir, struct hd_error *err)
{
	char cert_path[PATH_BYTES], key_path[PATH_BYTES];
	int r = set_paths(dir, "self-signed", cert_path, key_path, err);

	if (r < 0 || access(cert_path, F_OK) < 0)
		return r;
	r = check_access(cert_path, err);
	if (r == 0)
		r = check_access(key_path, err);
	if (r < 0)
		return r;
	HD_AUTO(cert_free) X509 *cert = read_cert(cert_path);
	HD_AUTO(key_free) EVP_PKEY *key = read_key(key_path);
	bool fits = cert != NULL && key != NULL &&
		    X509_check_private_key(cert, key) == 1;
	ERR_clear_error();
	if (fits)
		return 0;
	return hd_error_set(err, -EIO,
			    "%s %s: put the right files back, or remove both "
			    "for a new certificate, whose pin clients need "
			    "then (hdctl derpmap)",
			    cert == NULL ? cert_path : key_path,
			    cert == NULL  ? "is no certificate that can be read"
			    : key == NULL ? "is no key that can be read"
					  : "is not the certificate's key");
}

int hd_tls_self_signed_host(const char *dir, char cert_path[static 256],
			    char key_path[static 256], struct hd_error *err)
{
	struct utsname host;
	bool named = uname(&host) == 0 && is_plain_name(host.nodename);
	const char *const names[] = { named ? host.nodename : "localhost",
				      "localhost", "127.0.0.1", "::1" };
	int r = set_paths(dir, "self-signed", cert_path, key_path, err);

	if (r < 0)
		return r;
	bool there = good_enough(cert_path, key_path, NULL, 0);
	ERR_clear_error();
	if (there)
		return 0;
	r = make(cert_path, key_path, names, HD_ARRAY_N(names), err);
	if (r == 0)
		r = give_to_owner(dir, cert_path, err);
	if (r == 0)
		r = give_to_owner(dir, key_path, err);
	return r == 0 ? 1 : r;
}
