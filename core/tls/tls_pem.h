/* SPDX-License-Identifier: MIT */
/* core/tls/tls_pem.h - certificate and key files, with messages for people.
 * Main thread. */
#pragma once
#include <hyper-derp/base.h>
#include <openssl/x509.h>
#include "core/base/cert_files.h"

struct hd_pem { /* a certificate, what stands behind it, and its key */
	X509 *cert;
	STACK_OF(X509) * chain; /* never NULL when cert is not */
	EVP_PKEY *key;
};

/* hd_pem_load - both files of a certificate. They match each other; dates out
 * of range and a key that others may read are warnings.
 * Returns 0, or negative with "failed to open certificate PATH: …" in err. */
int hd_pem_load(const struct hd_cert_files *files, struct hd_pem *ret,
		struct hd_error *err);
/* hd_pem_read - key, certificate and chain from one text. */
int hd_pem_read(const char *text, size_t len_bytes, struct hd_pem *ret,
		struct hd_error *err);
void hd_pem_free(struct hd_pem *pem); /* safe on half-built ones */
/* hd_pem_write - what stands in a file of it, as PEM: its key, or its
 * certificates. Returns 0; -ENOMEM. */
int hd_pem_write(const struct hd_pem *pem, bool key, BIO *to);
/* hd_pem_elsewhere - where to ask for a file that may not be read; NULL:
 * nowhere. Returns 0 it is written to `to`; negative: it is not there. */
extern int (*hd_pem_elsewhere)(const char *path, BIO *to);

/* hd_tls_reason - what OpenSSL says went wrong; empties its queue. */
const char *hd_tls_reason(void);
