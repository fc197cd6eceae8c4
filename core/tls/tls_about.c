/* SPDX-License-Identifier: MIT */
/* core/tls/tls_about.c - subject, names and end of the certificates. They are
 * read when a store is made; whoever shows them holds the store by
 * reference. */
#include "core/tls/tls_about.h"
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "core/tls/tls.h"

static struct {
	pthread_mutex_t lock;
	struct hd_tls_store *store;
} shown = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- reading ---- */

static char *take_text(BIO *bio)
{
	char *data; /* NULL while nothing has been written */
	long n = BIO_get_mem_data(bio, &data);
	char *text = n > 0 ? strndup(data, (size_t)n) : strdup("");

	BIO_free(bio);
	return text;
}

static char *subject_of(X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());

	if (bio == NULL)
		return NULL;
	X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0,
			   XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
	return take_text(bio);
}

/* Nothing says that it has the bytes of an address. */
static void put_address(BIO *bio, const ASN1_OCTET_STRING *ip)
{
	char text[INET6_ADDRSTRLEN] = "?";
	int n = ASN1_STRING_length(ip);

	if (n == 4 || n == 16)
		inet_ntop(n == 4 ? AF_INET : AF_INET6,
			  ASN1_STRING_get0_data(ip), text, sizeof(text));
	BIO_puts(bio, text);
}

static bool put_name(BIO *bio, const GENERAL_NAME *name, const char *comma)
{
	if (name->type == GEN_DNS) {
		BIO_puts(bio, comma);
		BIO_write(bio, ASN1_STRING_get0_data(name->d.dNSName),
			  ASN1_STRING_length(name->d.dNSName));
	} else if (name->type == GEN_IPADD) {
		BIO_puts(bio, comma);
		put_address(bio, name->d.iPAddress);
	}
	return name->type == GEN_DNS || name->type == GEN_IPADD;
}

static char *names_of(X509 *cert)
{
	GENERAL_NAMES *names =
		X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	BIO *bio = BIO_new(BIO_s_mem());
	const char *comma = "";

	for (int i = 0; bio != NULL && i < sk_GENERAL_NAME_num(names); i++)
		if (put_name(bio, sk_GENERAL_NAME_value(names, i), comma))
			comma = ",";
	GENERAL_NAMES_free(names);
	return bio != NULL ? take_text(bio) : NULL;
}

static int64_t not_after(const X509 *cert)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) != 1)
		return 0;
	return timegm(&tm);
}

int hd_tls_cert_read(X509 *cert, struct hd_tls_cert *ret)
{
	X509_up_ref(cert);
	ret->cert = cert;
	ret->subject = subject_of(cert);
	ret->names = names_of(cert);
	ret->not_after = not_after(cert);
	return ret->subject != NULL && ret->names != NULL ? 0 : -ENOMEM;
}

void hd_tls_cert_free(struct hd_tls_cert *c)
{
	X509_free(c->cert);
	free(c->subject);
	free(c->names);
	*c = (struct hd_tls_cert){ 0 };
}

/* ---- showing ---- */

void hd_tls_show(struct hd_tls_store *store)
{
	struct hd_tls_store *old;

	if (store != NULL)
		hd_tls_store_get(store);
	pthread_mutex_lock(&shown.lock);
	old = shown.store;
	shown.store = store;
	pthread_mutex_unlock(&shown.lock);
	hd_tls_store_put(&old);
}

static struct hd_tls_store *shown_store(void)
{
	struct hd_tls_store *store;

	pthread_mutex_lock(&shown.lock);
	store = shown.store != NULL ? hd_tls_store_get(shown.store) : NULL;
	pthread_mutex_unlock(&shown.lock);
	return store;
}

X509 *hd_tls_shown(void)
{
	HD_AUTO(hd_tls_store_put) struct hd_tls_store *store = shown_store();
	const struct hd_tls_cert *v;
	size_t n = 0;

	if (store != NULL)
		v = hd_tls_store_certs(store, &n);
	if (n == 0)
		return NULL;
	X509_up_ref(v->cert);
	return v->cert;
}

void hd_about_certificates(hd_about_certificate_fn *fn, void *arg)
{
	HD_AUTO(hd_tls_store_put) struct hd_tls_store *store = shown_store();
	const struct hd_tls_cert *v;
	size_t n;

	if (store == NULL)
		return;
	v = hd_tls_store_certs(store, &n);
	for (size_t i = 0; i < n; i++) {
		const struct hd_about_certificate about = {
			.subject = v[i].subject,
			.names = v[i].names,
			.not_after = v[i].not_after,
		};
		fn(arg, &about);
	}
}
