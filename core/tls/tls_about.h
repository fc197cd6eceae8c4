/* SPDX-License-Identifier: MIT */
/* core/tls/tls_about.h - the certificates that are served, for who shows
 * them. */
#pragma once
#include <openssl/x509.h>
#include <hyper-derp/about.h>

struct hd_tls_cert { /* zeroed: nothing */
	X509 *cert;
	char *subject, *names;
	int64_t not_after;
};
/* hd_tls_cert_read - returns 0; -ENOMEM. */
int hd_tls_cert_read(X509 *cert, struct hd_tls_cert *ret);
void hd_tls_cert_free(struct hd_tls_cert *c);

/* hd_tls_show - hd_about_certificates() tells of this store from now on; NULL:
 * of none. Main thread. */
struct hd_tls_store;
void hd_tls_show(struct hd_tls_store *store);
/* hd_tls_shown - the first of them, X509_free(); NULL: none. Any thread. */
X509 *hd_tls_shown(void);
/* hd_tls_store_certs - in the order of the configuration. */
const struct hd_tls_cert *hd_tls_store_certs(const struct hd_tls_store *store,
					     size_t *ret_n);
