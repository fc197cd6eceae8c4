/* SPDX-License-Identifier: MIT */
/* core/tls/tls_pem.c - certificate and key files, with messages for people. */
#include "core/tls/tls_pem.h"
#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/log.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEM_FILE_MAX_BYTES (1 << 20)

const char *hd_tls_reason(void)
{
	unsigned long e = ERR_peek_last_error();
	const char *text = e != 0 ? ERR_reason_error_string(e) : NULL;

	ERR_clear_error();
	return text != NULL ? text : "unknown error";
}

enum { WHERE_BYTES = 320 };

/* " (tls_key at FILE:LINE)"; nothing for a path that stands in no file. */
static const char *set_where(const char *key, const char *file, unsigned line,
			     char buf[static WHERE_BYTES])
{
	buf[0] = '\0';
	if (file != NULL)
		snprintf(buf, WHERE_BYTES, " (%s%s%.240s:%u)", key,
			 key[0] != '\0' ? " at " : "", file, line);
	return buf;
}

/* What root may read the relay's user may not; a certificate is read again at
 * every reload. */
static const char *hint(int code, char buf[static WHERE_BYTES])
{
	const struct passwd *pw = getpwuid(geteuid());

	buf[0] = '\0';
	if (code == -EACCES && pw != NULL)
		snprintf(buf, WHERE_BYTES,
			 "; the user %.64s must be able to read it and to "
			 "enter its folder: hyper-derp-cert(8) arranges that",
			 pw->pw_name);
	return buf;
}

static int open_failed(const struct hd_cert_files *files, bool key, int code,
		       struct hd_error *err)
{
	char where[WHERE_BYTES], how[WHERE_BYTES];

	if (key)
		set_where("tls_key", files->key_file, files->key_line, where);
	else
		set_where("tls_cert", files->file, files->line, where);
	return hd_error_set(err, code,
			    "failed to open certificate%s %s: %s%s%s",
			    key ? " key" : "", key ? files->key : files->cert,
			    strerror(-code), where, hint(code, how));
}

static int content_wrong(const struct hd_cert_files *files, bool key,
			 const char *why, struct hd_error *err)
{
	char where[WHERE_BYTES];

	if (key)
		set_where("", files->key_file, files->key_line, where);
	else
		set_where("", files->file, files->line, where);
	return hd_error_set(err, -EINVAL, "certificate file %s: %s%s",
			    key ? files->key : files->cert, why, where);
}

int (*hd_pem_elsewhere)(const char *path, BIO *to);

static int ask_elsewhere(const char *path, BIO **ret, mode_t *ret_mode)
{
	if (hd_pem_elsewhere == NULL)
		return -EACCES;
	*ret_mode = 0;
	*ret = BIO_new(BIO_s_secmem());
	return *ret != NULL && hd_pem_elsewhere(path, *ret) == 0 ? 0 : -EACCES;
}

/* The whole file: later reads cannot see another version of it. */
static int read_file(const char *path, BIO **ret, mode_t *ret_mode)
{
	struct stat st;
	char buf[4096];
	ssize_t n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), r = 0;

	if (fd < 0)
		return errno == EACCES ? ask_elsewhere(path, ret, ret_mode)
				       : -errno;
	*ret = BIO_new(BIO_s_secmem());
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (*ret == NULL)
		r = -ENOMEM;
	else if (st.st_size > PEM_FILE_MAX_BYTES)
		r = -EFBIG;
	else
		*ret_mode = st.st_mode;
	while (r == 0 && (n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0)
			r = -errno;
		else if (BIO_write(*ret, buf, (int)n) != n)
			r = -ENOMEM;
		else if (BIO_ctrl_pending(*ret) > PEM_FILE_MAX_BYTES)
			r = -EFBIG;
	}
	OPENSSL_cleanse(buf, sizeof(buf));
	close(fd);
	return r;
}

static void bio_free(BIO **bio)
{
	BIO_free(*bio);
	*bio = NULL;
}

static int load_chain(struct hd_pem *pem, BIO *bio)
{
	X509 *next;

	pem->chain = sk_X509_new_null();
	if (pem->chain == NULL)
		return -ENOMEM;
	while ((next = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		if (sk_X509_push(pem->chain, next) == 0) {
			X509_free(next);
			return -ENOMEM;
		}
	}
	/* the end of the file is the one good reason to stop */
	return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE
		       ? 0
		       : -EINVAL;
}

static int load_cert(const struct hd_cert_files *files, struct hd_pem *pem,
		     struct hd_error *err)
{
	HD_AUTO(bio_free) BIO *bio = NULL;
	mode_t mode;
	int r = read_file(files->cert, &bio, &mode);

	if (r < 0)
		return open_failed(files, false, r, err);
	pem->cert = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
	if (pem->cert == NULL) {
		ERR_clear_error();
		return content_wrong(files, false,
				     "no certificate in it: it must be PEM and "
				     "begin with BEGIN CERTIFICATE",
				     err);
	}
	r = load_chain(pem, bio);
	ERR_clear_error();
	if (r < 0)
		return content_wrong(files, false,
				     "a certificate behind the first one is "
				     "damaged",
				     err);
	return 0;
}

/* Nobody is there to type a passphrase; without this OpenSSL asks the tty. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	*(bool *)arg = true;
	return -1;
}

static int load_key(const struct hd_cert_files *files, struct hd_pem *pem,
		    struct hd_error *err)
{
	HD_AUTO(bio_free) BIO *bio = NULL;
	bool encrypted = false;
	mode_t mode;
	int r = read_file(files->key, &bio, &mode);

	if (r < 0)
		return open_failed(files, true, r, err);
	pem->key =
		PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &encrypted);
	ERR_clear_error();
	if (pem->key == NULL && encrypted)
		return content_wrong(files, true,
				     "the key has a passphrase: remove it with "
				     "`openssl pkey -in OLD -out NEW`",
				     err);
	if (pem->key == NULL)
		return content_wrong(files, true,
				     "no private key in it: it must be PEM and "
				     "begin with BEGIN PRIVATE KEY",
				     err);
	if (mode & S_IROTH)
		hd_log_warn("everybody on this machine may read the key, "
			    "`chmod o= %s`: mode=%04o",
			    files->key, (unsigned)mode & 07777);
	return 0;
}

static void warn_date(const struct hd_cert_files *files, const ASN1_TIME *when,
		      const char *what)
{
	char date[64] = "?";
	struct tm tm;

	if (ASN1_TIME_to_tm(when, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S UTC", &tm);
	hd_log_warn("certificate %s %s %s: clients will refuse it", files->cert,
		    what, date);
}

static void check_dates(const struct hd_cert_files *files, X509 *cert)
{
	if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
		warn_date(files, X509_get0_notAfter(cert), "expired on");
	else if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
		warn_date(files, X509_get0_notBefore(cert),
			  "is not valid until");
}

int hd_pem_load(const struct hd_cert_files *files, struct hd_pem *ret,
		struct hd_error *err)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	r = load_cert(files, ret, err);
	if (r == 0)
		r = load_key(files, ret, err);
	if (r == 0 && X509_check_private_key(ret->cert, ret->key) != 1) {
		char where[WHERE_BYTES];

		ERR_clear_error();
		r = hd_error_set(
			err, -EINVAL,
			"certificate %s and key %s do not belong "
			"together: one of them was not replaced%s",
			files->cert, files->key,
			set_where("", files->file, files->line, where));
	}
	if (r < 0)
		hd_pem_free(ret);
	else
		check_dates(files, ret->cert);
	return r;
}

/* Each from the beginning: whatever comes first. */
static int read_text(const char *text, int len, struct hd_pem *ret)
{
	HD_AUTO(bio_free) BIO *certs = BIO_new_mem_buf(text, len);
	HD_AUTO(bio_free) BIO *key = BIO_new_mem_buf(text, len);
	bool encrypted;

	if (certs == NULL || key == NULL)
		return -ENOMEM;
	ret->key = PEM_read_bio_PrivateKey(key, NULL, no_passphrase,
					   &encrypted);
	ret->cert = PEM_read_bio_X509(certs, NULL, NULL, NULL);
	if (ret->key == NULL || ret->cert == NULL)
		return -EINVAL;
	ERR_clear_error();
	return load_chain(ret, certs);
}

int hd_pem_read(const char *text, size_t len_bytes, struct hd_pem *ret,
		struct hd_error *err)
{
	int r = -EFBIG;

	memset(ret, 0, sizeof(*ret));
	if (len_bytes <= PEM_FILE_MAX_BYTES)
		r = read_text(text, (int)len_bytes, ret);
	ERR_clear_error();
	if (r < 0)
		hd_error_set(err, r, r == -ENOMEM ? "out of memory"
						  : "it is not PEM with a key "
						    "and a certificate");
	else if (X509_check_private_key(ret->cert, ret->key) != 1)
		r = hd_error_set(err, -EINVAL,
				 "its key and its certificate do not belong "
				 "together");
	ERR_clear_error();
	if (r < 0)
		hd_pem_free(ret);
	return r;
}

int hd_pem_write(const struct hd_pem *pem, bool key, BIO *to)
{
	int ok;

	if (key)
		ok = PEM_write_bio_PKCS8PrivateKey(to, pem->key, NULL, NULL, 0,
						   NULL, NULL);
	else
		ok = PEM_write_bio_X509(to, pem->cert);
	for (int i = 0; !key && ok == 1 && i < sk_X509_num(pem->chain); i++)
		ok = PEM_write_bio_X509(to, sk_X509_value(pem->chain, i));
	ERR_clear_error();
	return ok == 1 ? 0 : -ENOMEM;
}

void hd_pem_free(struct hd_pem *pem)
{
	X509_free(pem->cert);
	sk_X509_pop_free(pem->chain, X509_free);
	EVP_PKEY_free(pem->key);
	memset(pem, 0, sizeof(*pem));
}
