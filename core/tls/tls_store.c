/* SPDX-License-Identifier: MIT */
/* core/tls/tls_store.c - certificates and contexts. A store never changes once
 * it is made, so workers share it without a lock; a reload makes a new one and
 * connections under way keep theirs by reference. */
#include "core/tls/kdf.h"
#include "core/tls/tls.h"
#include "core/tls/tls_about.h"
#include "core/tls/tls_conn.h"
#include "core/tls/tls_files.h"
#include "core/tls/tls_given.h"
#include "core/tls/tls_pem.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* AEAD with forward secrecy only; AES-128 is the cheapest with AES-NI. */
const char hd_tls_suites[] =
	"TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:"
	"TLS_AES_256_GCM_SHA384";
#define TLS12_CIPHERS                                                          \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"           \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"           \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
const char hd_tls_groups[] = "X25519:P-256:P-384";

struct hd_tls_site { /* a name, or several: one certificate per key type */
	SSL_CTX *ctx;
	X509 *cert; /* its names decide; owned by ctx */
	int key_types[4];
	unsigned n_key_types;
};

struct hd_tls_special { /* for one server name and one protocol */
	SSL_CTX *ctx;
	char *server_name, *alpn;
};

struct hd_tls_store {
	atomic_uint refs;
	struct hd_tls_files files;
	bool chained; /* what modules append stands behind its certificates */
	struct hd_tls_cert *certs; /* as they were configured */
	size_t n_certs;
	struct hd_tls_special *specials;
	size_t n_specials;
	size_t n;
	struct hd_tls_site sites[];
};

/* ---- callbacks: in the worker that shakes hands ---- */

static const struct hd_tls_site *find_site(const struct hd_tls_store *store,
					   const char *name)
{
	static const unsigned passes[] = {
		X509_CHECK_FLAG_NO_WILDCARDS,
		X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
	};

	for (size_t pass = 0; pass < HD_ARRAY_N(passes); pass++)
		for (size_t i = 0; i < store->n; i++)
			if (X509_check_host(store->sites[i].cert, name, 0,
					    passes[pass], NULL) == 1)
				return &store->sites[i];
	return &store->sites[0];
}

static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	const struct hd_tls_store *store = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	if (name == NULL || store->n < 2 ||
	    SSL_get_SSL_CTX(ssl) != store->sites[0].ctx) /* it is chosen */
		return SSL_TLSEXT_ERR_OK;
	SSL_set_SSL_CTX(ssl, find_site(store, name)->ctx);
	ERR_clear_error(); /* of names that are no host names */
	return SSL_TLSEXT_ERR_OK;
}

static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
	const struct hd_tls_store *store = arg;

	(void)alert;
	for (size_t i = 0; i < store->n_specials; i++) {
		const struct hd_tls_special *x = &store->specials[i];

		if (hd_hello_is_for(ssl, x->server_name, x->alpn)) {
			SSL_set_SSL_CTX(ssl, x->ctx);
			break;
		}
	}
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* ---- making a store: main thread ---- */

static SSL_CTX *new_ctx(struct hd_tls_store *store)
{
	SSL_CTX *ctx = SSL_CTX_new_ex(NULL, hd_kdf_properties(),
				      TLS_server_method());

	if (ctx == NULL)
		return NULL;
	/* Level 2: no RSA below 2048 bits, no SHA-1 in chains. */
	SSL_CTX_set_security_level(ctx, 2);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_PRIORITIZE_CHACHA |
					 SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_clear_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_alpn_select_cb(ctx, hd_tls_on_alpn, NULL);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
	SSL_CTX_set_tlsext_servername_arg(ctx, store);
	SSL_CTX_set_keylog_callback(ctx, hd_tls_on_keylog);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	    SSL_CTX_set_num_tickets(ctx, 0) == 1 &&
	    SSL_CTX_set_cipher_list(ctx, TLS12_CIPHERS) == 1 &&
	    SSL_CTX_set_ciphersuites(ctx, hd_tls_suites) == 1 &&
	    SSL_CTX_set1_groups_list(ctx, hd_tls_groups) == 1)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

static bool same_names(const X509 *a, const X509 *b)
{
	int at = X509_get_ext_by_NID(a, NID_subject_alt_name, -1);
	int bt = X509_get_ext_by_NID(b, NID_subject_alt_name, -1);

	if (at < 0 || bt < 0)
		return false;
	return ASN1_OCTET_STRING_cmp(
		       X509_EXTENSION_get_data(X509_get_ext(a, at)),
		       X509_EXTENSION_get_data(X509_get_ext(b, bt))) == 0;
}

static bool has_key_type(const struct hd_tls_site *site, int type)
{
	for (unsigned i = 0; i < site->n_key_types; i++)
		if (site->key_types[i] == type)
			return true;
	return site->n_key_types == HD_ARRAY_N(site->key_types);
}

/* ECDSA and RSA for the same names share a context: OpenSSL serves each client
 * the one that it can verify. Else the certificate is a site of its own. */
static struct hd_tls_site *site_for(struct hd_tls_store *store, X509 *cert,
				    int key_type)
{
	struct hd_tls_site *site;

	for (size_t i = 0; i < store->n; i++) {
		site = &store->sites[i];
		if (same_names(site->cert, cert) &&
		    !has_key_type(site, key_type))
			return site;
	}
	site = &store->sites[store->n];
	site->ctx = new_ctx(store);
	if (site->ctx == NULL)
		return NULL;
	store->n++;
	return site;
}

static int add_pem(struct hd_tls_store *store,
		   const struct hd_cert_files *files, struct hd_pem *pem,
		   struct hd_error *err)
{
	int type = EVP_PKEY_get_base_id(pem->key);
	struct hd_tls_site *site = site_for(store, pem->cert, type);

	if (site == NULL ||
	    (store->chained && hd_tls_chain_add(pem->chain) < 0))
		return hd_error_set(err, -ENOMEM, "certificate %s: %s",
				    files->cert, hd_tls_reason());
	if (SSL_CTX_use_cert_and_key(site->ctx, pem->cert, pem->key, pem->chain,
				     1) != 1)
		return hd_error_set(err, -EINVAL,
				    "certificate %s cannot be served: %s "
				    "(%s:%u)",
				    files->cert, hd_tls_reason(),
				    files->file != NULL ? files->file : "-",
				    files->line);
	site->key_types[site->n_key_types++] = type;
	if (site->cert == NULL)
		site->cert = SSL_CTX_get0_certificate(site->ctx);
	if (hd_tls_cert_read(pem->cert, &store->certs[store->n_certs++]) < 0)
		return hd_error_set(err, -ENOMEM, "TLS: out of memory");
	return 0;
}

static int add_special(struct hd_tls_store *store, const struct hd_tls_given *g)
{
	struct hd_tls_special *x = &store->specials[store->n_specials++];

	x->server_name = strdup(g->server_name);
	x->alpn = strdup(g->alpn);
	x->ctx = new_ctx(store);
	if (x->server_name == NULL || x->alpn == NULL || x->ctx == NULL)
		return -ENOMEM;
	return SSL_CTX_use_cert_and_key(x->ctx, g->pem.cert, g->pem.key,
					g->pem.chain, 1) == 1
		       ? 0
		       : -EINVAL;
}

static int add_given(struct hd_tls_store *store, struct hd_tls_given *g,
		     struct hd_error *err)
{
	const struct hd_cert_files as = { .cert = g->name };
	struct hd_pem pem = g->pem;
	int r = 0;

	if (g->alpn != NULL) {
		r = add_special(store, g);
		return r == 0 ? 0
			      : hd_error_set(err, r, "certificate %s: %s",
					     g->name, hd_tls_reason());
	}
	pem.chain = sk_X509_dup(g->pem.chain); /* others are put behind it */
	if (pem.chain == NULL)
		return hd_error_set(err, -ENOMEM, "TLS: out of memory");
	for (int i = 0; i < sk_X509_num(pem.chain); i++)
		X509_up_ref(sk_X509_value(pem.chain, i));
	r = add_pem(store, &as, &pem, err);
	sk_X509_pop_free(pem.chain, X509_free);
	return r;
}

static int add_all_given(struct hd_tls_store *store, struct hd_error *err)
{
	int r = 0;

	for (struct hd_tls_given *g = hd_tls_given_first(); g != NULL && r == 0;
	     g = g->next)
		r = add_given(store, g, err);
	if (r == 0 && store->n_specials > 0 && store->n > 0)
		SSL_CTX_set_client_hello_cb(store->sites[0].ctx,
					    on_client_hello, store);
	return r;
}

int hd_tls_store_file(const struct hd_tls_store *store, const char *path,
		      BIO *to)
{
	return hd_tls_files_write(&store->files, path, to);
}

static int add_files(struct hd_tls_store *store, const struct hd_cert_files *v,
		     size_t n, struct hd_error *err)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		struct hd_pem pem;

		r = hd_pem_load(&v[i], &pem, err);
		if (r < 0)
			break;
		r = add_pem(store, &v[i], &pem, err);
		if (r == 0)
			r = hd_tls_files_keep(&store->files, &v[i], &pem, err);
		hd_pem_free(&pem);
	}
	return r;
}

/* Five secrets as text cost more than their derivation: without a listener
 * OpenSSL does not write them. */
static void leave_key_log(struct hd_tls_store *store)
{
	if (store->n == 0 || !hd_kdf_proven(store->sites[0].ctx))
		return;
	for (size_t i = 0; i < store->n; i++)
		SSL_CTX_set_keylog_callback(store->sites[i].ctx, NULL);
	for (size_t i = 0; i < store->n_specials; i++)
		SSL_CTX_set_keylog_callback(store->specials[i].ctx, NULL);
}

/* @given  room for that many of modules */
static struct hd_tls_store *store_new(size_t n, size_t given, bool chained)
{
	struct hd_tls_store *store = calloc(
		1, sizeof(*store) + (n + given) * sizeof(*store->sites));

	if (store == NULL)
		return NULL;
	store->refs = 1;
	store->chained = chained;
	store->certs = calloc(n + given, sizeof(*store->certs));
	store->specials = calloc(given + 1, sizeof(*store->specials));
	if (store->certs == NULL || store->specials == NULL ||
	    hd_tls_files_new(&store->files, n) < 0)
		hd_tls_store_put(&store);
	return store;
}

int hd_tls_store_new(const struct hd_cert_files *v, size_t n,
		     struct hd_tls_store **ret, struct hd_error *err)
{
	HD_AUTO(hd_tls_store_put) struct hd_tls_store *store = NULL;
	int r;

	if (n == 0 && !hd_tls_given_any())
		return hd_error_set(err, -EINVAL,
				    "TLS without a certificate: set tls_cert "
				    "and tls_key, or tls: certificates");
	store = store_new(n, hd_tls_given_n(), true);
	if (store == NULL)
		return hd_error_set(err, -ENOMEM, "TLS: out of memory");
	r = add_files(store, v, n, err);
	if (r == 0)
		r = add_all_given(store, err);
	if (r < 0)
		return r;
	leave_key_log(store);
	hd_tls_chain_seen();
	*ret = hd_steal(&store);
	return 0;
}

int hd_tls_store_own(const char *cert, const char *key,
		     struct hd_tls_store **ret, struct hd_error *err)
{
	const struct hd_cert_files one = { .cert = cert, .key = key };
	HD_AUTO(hd_tls_store_put) struct hd_tls_store *store =
		store_new(1, 0, false);
	int r = store != NULL ? add_files(store, &one, 1, err)
			      : hd_error_set(err, -ENOMEM,
					     "TLS: out of memory");

	if (r < 0)
		return r;
	leave_key_log(store);
	*ret = hd_steal(&store);
	return 0;
}

struct hd_tls_store *hd_tls_store_get(struct hd_tls_store *store)
{
	atomic_fetch_add_explicit(&store->refs, 1, memory_order_relaxed);
	return store;
}

void hd_tls_store_put(struct hd_tls_store **store)
{
	struct hd_tls_store *s = hd_steal(store);

	if (s == NULL ||
	    atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (size_t i = 0; i < s->n; i++)
		SSL_CTX_free(s->sites[i].ctx);
	for (size_t i = 0; i < s->n_specials; i++) {
		SSL_CTX_free(s->specials[i].ctx);
		free(s->specials[i].server_name);
		free(s->specials[i].alpn);
	}
	for (size_t i = 0; i < s->n_certs; i++)
		hd_tls_cert_free(&s->certs[i]);
	hd_tls_files_free(&s->files);
	free(s->specials);
	free(s->certs);
	free(s);
}

const struct hd_tls_cert *hd_tls_store_certs(const struct hd_tls_store *store,
					     size_t *ret_n)
{
	*ret_n = store->n_certs;
	return store->certs;
}

SSL_CTX *hd_tls_store_ctx(struct hd_tls_store *store)
{
	return store->sites[0].ctx;
}
