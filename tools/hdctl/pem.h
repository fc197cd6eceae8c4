/* SPDX-License-Identifier: MIT */
/* tools/hdctl/pem.h - certificates and keys in files. */
#pragma once
#include <hyper-derp/base.h>
#include <openssl/x509.h>

struct pem { /* zeroed: empty */
	X509 *leaf;
	STACK_OF(X509) * chain; /* what follows it in the file */
	EVP_PKEY *key;
};

enum { PEM_NAMES_BYTES = 512 };
#define PEM_PIN_BYTES (sizeof("sha256-raw:") + 64)

/* pem_read - a chain, and its key where key_path is not NULL.
 * Returns 0; -EINVAL err says which file is wrong, and why. */
int pem_read(struct pem *p, const char *cert_path, const char *key_path,
	     struct hd_error *err);
void pem_free(struct pem *p);
bool pem_key_fits(const struct pem *p);
/* pem_is_for - a name or an address. */
bool pem_is_for(X509 *cert, const char *host);
bool pem_self_signed(X509 *cert);
/* pem_names - "a.example.net, 192.0.2.1" of what it is for. */
const char *pem_names(X509 *cert, char buf[PEM_NAMES_BYTES]);
/* pem_name_at - its i-th DNS name, for free(); NULL: there are not so many. */
char *pem_name_at(X509 *cert, int i);
/* pem_pin - as Tailscale's CertName wants it. */
bool pem_pin(X509 *cert, char buf[PEM_PIN_BYTES]);
/* pem_make - a key and a certificate of its own for a host, good for ten years.
 * Returns whether OpenSSL could. */
bool pem_make(struct pem *p, const char *host);
