/* SPDX-License-Identifier: MIT */
/* modules/acme/jose.h - what ACME signs: JWS with ES256 (RFC 7515, RFC 7518) in
 * the flattened form, JWK and its thumbprint (RFC 7517, RFC 7638). Keys are
 * OpenSSL's, on P-256. Main thread. Texts that are returned are the caller's:
 * free(). NULL: out of memory, or OpenSSL fails. */
#pragma once
#include <jansson.h>
#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

/* acme_base64url - without padding. RFC 7515, 2. */
char *acme_base64url(const void *data, size_t len_bytes);

/* acme_jwk - the public key: {"crv","kty","x","y"}. */
json_t *acme_jwk(const EVP_PKEY *key);
/* acme_thumbprint - SHA-256 of it, base64url. RFC 7638, 3. */
char *acme_thumbprint(const EVP_PKEY *key);

/* acme_jws - sign payload.
 * @header   its protected header without "alg"; taken, also on failure
 * @payload  NULL: the empty one of a POST-as-GET (RFC 8555, 6.3)
 * acme_jws_mac - with HS256 and a shared key. */
char *acme_jws(EVP_PKEY *key, json_t *header, const char *payload);
json_t *acme_jws_mac(const uint8_t *key, size_t key_len, json_t *header,
		     const char *payload);

/* acme_eab - the binding to an account that the CA knows already. RFC 8555,
 * 7.3.4. @mac_key  base64url, as the CA gave it. NULL: also when it is not. */
json_t *acme_eab(const EVP_PKEY *key, const char *kid, const char *mac_key,
		 const char *url);
