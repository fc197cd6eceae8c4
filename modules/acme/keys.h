/* SPDX-License-Identifier: MIT */
/* modules/acme/keys.h - keys, requests and certificates, all of OpenSSL.
 * Main thread. */
#pragma once
#include <hyper-derp/base.h>
#include <openssl/evp.h>
#include <stddef.h>

/* Made by malloc(); NULL: OpenSSL fails, or out of memory. */
EVP_PKEY *acme_key_new(void); /* P-256 */
char *acme_key_text(const EVP_PKEY *key); /* PEM */
EVP_PKEY *acme_key_read(const char *pem);
void acme_key_free(EVP_PKEY **key);
void acme_secret_free(char **text); /* wipes it */

/* acme_request - a request for these names (RFC 8555, 7.4), DER in base64url:
 * no subject, host names and addresses as subject alternative names. */
char *acme_request(EVP_PKEY *key, const char *const *hosts, size_t n);

/* acme_challenge_pem - the certificate of a TLS-ALPN-01 challenge and its key
 * (RFC 8737, 3). @key_authorization  RFC 8555, 8.1 */
char *acme_challenge_pem(const char *host, const char *key_authorization);
/* acme_host_text - the host as the protocol has it: lower case; addresses as
 * inet_ntop() writes them (RFC 8738, 3). The caller frees it. */
char *acme_host_text(const char *host);
/* acme_is_address - RFC 8738: IPv4 or IPv6, without brackets. */
bool acme_is_address(const char *host);
/* acme_server_name - what a validator asks for: the host, or the reverse name
 * of an address (RFC 8738, 6), which has at most 72 characters. */
const char *acme_server_name(const char *host, char buf[static 80]);

/* What a chain says of its first certificate. */
struct acme_about {
	int64_t not_before_s, not_after_s;
	char id[128]; /* for renewal information: RFC 9773, 4.1; "": it has
			 no key identifier of who signed it */
	uint64_t hash; /* of it: chance that stays the same */
};

/* acme_chain_about - @hosts  that it must be good for
 * Returns 0; -EINVAL it is no chain, or lacks a host: err says which. */
int acme_chain_about(const char *pem, const char *const *hosts, size_t n,
		     struct acme_about *ret, struct hd_error *err);
