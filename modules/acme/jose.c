/* SPDX-License-Identifier: MIT */
/* modules/acme/jose.c - see jose.h. */
#include "modules/acme/jose.h"
#include <hyper-derp/base.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { P256_BYTES = 32, MAC_KEY_MAX_BYTES = 512 };

char *acme_base64url(const void *data, size_t len_bytes)
{
	size_t size = sodium_base64_encoded_len(
		len_bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	char *text = malloc(size);

	if (text != NULL)
		sodium_bin2base64(text, size, data, len_bytes,
				  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	return text;
}

/* ---- the key ---- */

static char *coordinate(const EVP_PKEY *key, const char *name)
{
	uint8_t b[P256_BYTES];
	BIGNUM *n = NULL;
	char *text = NULL;

	if (EVP_PKEY_get_bn_param(key, name, &n) == 1 &&
	    BN_bn2binpad(n, b, sizeof(b)) == sizeof(b))
		text = acme_base64url(b, sizeof(b));
	BN_free(n);
	return text;
}

json_t *acme_jwk(const EVP_PKEY *key)
{
	char *x = coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X);
	char *y = coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y);
	json_t *jwk = NULL;

	if (x != NULL && y != NULL)
		jwk = json_pack("{ss ss ss ss}", "crv", "P-256", "kty", "EC",
				"x", x, "y", y);
	free(x);
	free(y);
	return jwk;
}

/* The members that are needed, in the order of the alphabet, without spaces. */
char *acme_thumbprint(const EVP_PKEY *key)
{
	uint8_t hash[SHA256_DIGEST_LENGTH];
	json_t *jwk = acme_jwk(key);
	char *text = jwk != NULL
			     ? json_dumps(jwk, JSON_COMPACT | JSON_SORT_KEYS)
			     : NULL;

	json_decref(jwk);
	if (text == NULL)
		return NULL;
	SHA256((const uint8_t *)text, strlen(text), hash);
	free(text);
	return acme_base64url(hash, sizeof(hash));
}

/* ---- signed ---- */

struct parts {
	char *header, *payload, *signature; /* base64url */
	char *input; /* what is signed: RFC 7515, 5.1 */
};

static void parts_free(struct parts *p)
{
	free(p->header);
	free(p->payload);
	free(p->signature);
	free(p->input);
}

static bool begin(struct parts *p, json_t *header, const char *alg,
		  const char *payload)
{
	char *text = NULL;

	*p = (struct parts){ .header = NULL };
	if (header != NULL &&
	    json_object_set_new(header, "alg", json_string(alg)) == 0)
		text = json_dumps(header, JSON_COMPACT);
	json_decref(header);
	if (text == NULL)
		return false;
	p->header = acme_base64url(text, strlen(text));
	free(text);
	payload = payload != NULL ? payload : "";
	p->payload = acme_base64url(payload, strlen(payload));
	if (p->header == NULL || p->payload == NULL)
		return false;
	p->input = malloc(strlen(p->header) + strlen(p->payload) + 2);
	if (p->input == NULL)
		return false;
	strcpy(p->input, p->header);
	strcat(p->input, ".");
	strcat(p->input, p->payload);
	return true;
}

static json_t *end(struct parts *p)
{
	json_t *jws = NULL;

	if (p->signature != NULL)
		jws = json_pack("{ss ss ss}", "protected", p->header, "payload",
				p->payload, "signature", p->signature);
	parts_free(p);
	return jws;
}

/* OpenSSL has DER; here it is both numbers. RFC 7518, 3.4. */
static char *ecdsa_text(const uint8_t *der, size_t n)
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
	uint8_t b[2 * P256_BYTES];
	char *text = NULL;

	if (sig != NULL &&
	    BN_bn2binpad(ECDSA_SIG_get0_r(sig), b, P256_BYTES) >= 0 &&
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), b + P256_BYTES, P256_BYTES) >=
		    0)
		text = acme_base64url(b, sizeof(b));
	ECDSA_SIG_free(sig);
	return text;
}

static char *ecdsa(EVP_PKEY *key, const char *input)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t der[128];
	size_t n = sizeof(der);
	char *text = NULL;

	if (ctx != NULL &&
	    EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
	    EVP_DigestSign(ctx, der, &n, (const uint8_t *)input,
			   strlen(input)) == 1)
		text = ecdsa_text(der, n);
	EVP_MD_CTX_free(ctx);
	return text;
}

char *acme_jws(EVP_PKEY *key, json_t *header, const char *payload)
{
	struct parts p;
	char *text;
	json_t *jws;

	if (begin(&p, header, "ES256", payload))
		p.signature = ecdsa(key, p.input);
	jws = end(&p);
	text = jws != NULL ? json_dumps(jws, JSON_COMPACT) : NULL;
	json_decref(jws);
	return text;
}

json_t *acme_jws_mac(const uint8_t *key, size_t key_len, json_t *header,
		     const char *payload)
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned n;
	struct parts p;

	if (begin(&p, header, "HS256", payload) &&
	    HMAC(EVP_sha256(), key, (int)key_len, (const uint8_t *)p.input,
		 strlen(p.input), mac, &n) != NULL)
		p.signature = acme_base64url(mac, n);
	return end(&p);
}

json_t *acme_eab(const EVP_PKEY *key, const char *kid, const char *mac_key,
		 const char *url)
{
	uint8_t mac[MAC_KEY_MAX_BYTES];
	size_t n = 0, len = strcspn(mac_key, "=");
	json_t *jwk, *eab = NULL;
	char *payload = NULL;

	if (sodium_base642bin(mac, sizeof(mac), mac_key, len, "\r\n", &n, NULL,
			      sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
		return NULL;
	jwk = acme_jwk(key);
	if (jwk != NULL)
		payload = json_dumps(jwk, JSON_COMPACT);
	json_decref(jwk);
	if (payload != NULL)
		eab = acme_jws_mac(mac, n,
				   json_pack("{ss ss}", "kid", kid, "url", url),
				   payload);
	free(payload);
	sodium_memzero(mac, sizeof(mac));
	return eab;
}
