/* SPDX-License-Identifier: MIT */
/* core/tls/tls_trust.c - whom we trust when we are the client: contexts with
 * CAs. Reading those of the system takes tens of milliseconds, so they are kept
 * until their file changes, and a helper thread reads them: never a worker.
 * OpenSSL's folder of hashed names would be read during a handshake, in the
 * worker; a bundle in one file is looked for first. */
#include <errno.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "core/tls/tls_conn.h"
#include "core/tls/tls_pem.h"

enum { KEPT_MAX = 16 };

struct kept {
	char *path; /* NULL: empty */
	struct timespec changed;
	off_t size;
	ino_t ino;
	SSL_CTX *ctx;
};

static struct {
	pthread_mutex_t lock;
	struct kept v[KEPT_MAX];
	unsigned next; /* whose place is taken next */
} trust = { .lock = PTHREAD_MUTEX_INITIALIZER };

static SSL_CTX *nobody; /* a context without CAs */
static pthread_once_t nobody_once = PTHREAD_ONCE_INIT;

static SSL_CTX *new_ctx(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_security_level(ctx, 2);
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_clear_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_keylog_callback(ctx, hd_tls_on_keylog);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, hd_tls_on_verify, NULL);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
	    SSL_CTX_set_ciphersuites(ctx, hd_tls_suites) == 1 &&
	    SSL_CTX_set1_groups_list(ctx, hd_tls_groups) == 1)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

/* ---- the system's ---- */

/* Debian, Fedora, openSUSE, Alpine; then what OpenSSL was built with. */
static const char *system_file(void)
{
	const char *v[] = { getenv("SSL_CERT_FILE"),
			    "/etc/ssl/certs/ca-certificates.crt",
			    "/etc/pki/tls/certs/ca-bundle.crt",
			    "/etc/ssl/ca-bundle.pem",
			    "/etc/ssl/cert.pem",
			    X509_get_default_cert_file() };
	struct stat st;

	for (size_t i = 0; i < HD_ARRAY_N(v); i++)
		if (v[i] != NULL && stat(v[i], &st) == 0)
			return v[i];
	return NULL;
}

/* ---- kept ones; with the lock held ---- */

static bool is_current(const struct kept *k, const char *path,
		       const struct stat *st)
{
	return k->path != NULL && strcmp(k->path, path) == 0 &&
	       k->size == st->st_size && k->ino == st->st_ino &&
	       k->changed.tv_sec == st->st_mtim.tv_sec &&
	       k->changed.tv_nsec == st->st_mtim.tv_nsec;
}

static SSL_CTX *find(const char *path, const struct stat *st)
{
	for (unsigned i = 0; i < KEPT_MAX; i++)
		if (is_current(&trust.v[i], path, st))
			return trust.v[i].ctx;
	return NULL;
}

/* In the place of what it was before, else of the oldest. */
static void keep(const char *path, const struct stat *st, SSL_CTX *ctx)
{
	struct kept *k = NULL;

	for (unsigned i = 0; i < KEPT_MAX && k == NULL; i++)
		if (trust.v[i].path != NULL &&
		    strcmp(trust.v[i].path, path) == 0)
			k = &trust.v[i];
	if (k == NULL)
		k = &trust.v[trust.next++ % KEPT_MAX];
	free(k->path);
	SSL_CTX_free(k->ctx);
	*k = (struct kept){ .path = strdup(path),
			    .changed = st->st_mtim,
			    .size = st->st_size,
			    .ino = st->st_ino,
			    .ctx = ctx };
	SSL_CTX_up_ref(ctx);
}

/* ---- asked for ---- */

static int unreadable(const char *path, const char *why, struct hd_error *err)
{
	return hd_error_set(err, -ENOENT,
			    "%.200s: no CA can be read from this file: %s",
			    path, why);
}

static int load(const char *path, SSL_CTX **ret, struct hd_error *err)
{
	struct stat st;
	SSL_CTX *ctx;

	if (stat(path, &st) < 0)
		return unreadable(path, strerror(errno), err);
	ctx = find(path, &st);
	if (ctx != NULL) {
		SSL_CTX_up_ref(ctx);
		*ret = ctx;
		return 0;
	}
	ctx = new_ctx();
	if (ctx == NULL)
		return hd_error_set(err, -ENOMEM, "TLS: out of memory");
	if (SSL_CTX_load_verify_file(ctx, path) != 1) {
		SSL_CTX_free(ctx);
		return unreadable(path, hd_tls_reason(), err);
	}
	keep(path, &st, ctx);
	*ret = ctx;
	return 0;
}

int hd_tls_trust(const char *ca_file, SSL_CTX **ret, struct hd_error *err)
{
	const char *path = ca_file != NULL ? ca_file : system_file();

	if (path == NULL)
		return hd_error_set(err, -ENOENT,
				    "this machine has no file of CAs (Debian: "
				    "apt install ca-certificates; or name one "
				    "by SSL_CERT_FILE)");
	pthread_mutex_lock(&trust.lock);
	int r = load(path, ret, err);

	pthread_mutex_unlock(&trust.lock);
	return r;
}

/* Not under the lock: somebody may be reading a file there. */
static void make_nobody(void)
{
	nobody = new_ctx();
}

int hd_tls_trust_nobody(SSL_CTX **ret, struct hd_error *err)
{
	pthread_once(&nobody_once, make_nobody);
	if (nobody == NULL)
		return hd_error_set(err, -ENOMEM, "TLS: out of memory");
	SSL_CTX_up_ref(nobody);
	*ret = nobody;
	return 0;
}
