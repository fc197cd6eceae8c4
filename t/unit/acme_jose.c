/* SPDX-License-Identifier: MIT */
/* t/unit/acme_jose.c - signatures, requests and certificates of ACME, checked
 * by what OpenSSL and libsodium make of them, and by the examples of the
 * RFCs. */
#include "modules/acme/jose.h"
#include "modules/acme/keys.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The key of RFC 7515, A.3. */
static const char key_pem[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff\n"
	"H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp\n"
	"7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt\n"
	"-----END PRIVATE KEY-----\n";

static EVP_PKEY *key;

static int set_up(void **state)
{
	(void)state;
	key = acme_key_read(key_pem);
	return key != NULL && sodium_init() >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	acme_key_free(&key);
	return 0;
}

static size_t decode(const char *text, uint8_t *ret, size_t size)
{
	size_t n;

	assert_int_equal(
		sodium_base642bin(ret, size, text, strlen(text), NULL, &n, NULL,
				  sodium_base64_VARIANT_URLSAFE_NO_PADDING),
		0);
	return n;
}

/* The member of a JWS, decoded, as text. */
static const char *part(const json_t *jws, const char *name)
{
	static char buf[2048];
	const char *text = json_string_value(json_object_get(jws, name));

	assert_non_null(text);
	buf[decode(text, (uint8_t *)buf, sizeof(buf) - 1)] = '\0';
	return buf;
}

static void input_of(const json_t *jws, char *ret, size_t size)
{
	snprintf(ret, size, "%s.%s",
		 json_string_value(json_object_get(jws, "protected")),
		 json_string_value(json_object_get(jws, "payload")));
}

static void keys_are_kept_as_text(void **state)
{
	EVP_PKEY *new = acme_key_new(), *again;
	char *text = acme_key_text(new), *same = acme_key_text(key);

	(void)state;
	assert_string_equal(same, key_pem);
	again = acme_key_read(text);
	assert_int_equal(EVP_PKEY_eq(new, again), 1);
	assert_int_equal(EVP_PKEY_eq(new, key), 0);
	assert_null(acme_key_read("junk"));
	acme_secret_free(&text);
	acme_secret_free(&same);
	assert_null(text);
	acme_key_free(&new);
	acme_key_free(&again);
}

static void the_thumbprint_is_of_the_public_key(void **state)
{
	char *print = acme_thumbprint(key);
	json_t *jwk = acme_jwk(key);

	(void)state;
	/* printf '{"crv":"P-256","kty":"EC","x":"...","y":"..."}' | openssl
	 * dgst -sha256 -binary | basenc --base64url */
	assert_string_equal(print,
			    "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
	assert_string_equal(json_string_value(json_object_get(jwk, "x")),
			    "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
	assert_string_equal(json_string_value(json_object_get(jwk, "y")),
			    "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
	assert_int_equal(json_object_size(jwk), 4);
	json_decref(jwk);
	free(print);
}

/* RFC 7518, 3.4: both numbers, 32 bytes each. */
static bool verify(const json_t *jws)
{
	char input[4096];
	uint8_t sig[65], *der = NULL;
	ECDSA_SIG *s = ECDSA_SIG_new();
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int n;
	bool good;

	assert_int_equal(decode(json_string_value(json_object_get(jws,
								  "signature")),
				sig, sizeof(sig)),
			 64);
	ECDSA_SIG_set0(s, BN_bin2bn(sig, 32, NULL),
		       BN_bin2bn(sig + 32, 32, NULL));
	n = i2d_ECDSA_SIG(s, &der);
	input_of(jws, input, sizeof(input));
	EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key);
	good = EVP_DigestVerify(ctx, der, (size_t)n, (const uint8_t *)input,
				strlen(input)) == 1;
	EVP_MD_CTX_free(ctx);
	ECDSA_SIG_free(s);
	OPENSSL_free(der);
	return good;
}

static json_t *signed_json(const char *payload)
{
	char *text = acme_jws(key,
			      json_pack("{ss ss}", "nonce", "n1", "url",
					"https://a/b"),
			      payload);
	json_t *jws = json_loads(text, 0, NULL);

	free(text);
	return jws;
}

/* Many times: a number with leading zeros must not lose them. */
static void requests_are_signed(void **state)
{
	(void)state;
	for (int i = 0; i < 600; i++) {
		json_t *jws = signed_json("{\"a\":1}");

		assert_true(verify(jws));
		assert_string_equal(part(jws, "payload"), "{\"a\":1}");
		assert_string_equal(part(jws, "protected"),
				    "{\"nonce\":\"n1\",\"url\":\"https://a/b\","
				    "\"alg\":\"ES256\"}");
		json_decref(jws);
	}
	json_t *get = signed_json(NULL); /* POST-as-GET */

	assert_string_equal(json_string_value(json_object_get(get, "payload")),
			    "");
	assert_true(verify(get));
	json_decref(get);
}

static void an_account_that_is_known_already(void **state)
{
	uint8_t secret[32] = { 1, 2, 3 }, mac[32], want[32];
	char *text = acme_base64url(secret, sizeof(secret));
	json_t *jws = acme_eab(key, "kid-1", text, "https://a/new"), *jwk;
	char input[4096];

	(void)state;
	assert_string_equal(part(jws, "protected"),
			    "{\"kid\":\"kid-1\",\"url\":\"https://a/new\","
			    "\"alg\":\"HS256\"}");
	jwk = json_loads(part(jws, "payload"), 0, NULL);
	assert_string_equal(json_string_value(json_object_get(jwk, "x")),
			    "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
	json_decref(jwk);
	assert_int_equal(decode(json_string_value(json_object_get(jws,
								  "signature")),
				mac, sizeof(mac)),
			 32);
	input_of(jws, input, sizeof(input));
	crypto_auth_hmacsha256(want, (const uint8_t *)input, strlen(input),
			       secret);
	assert_memory_equal(mac, want, 32);
	json_decref(jws);
	free(text);
	assert_null(acme_eab(key, "k", "no base64url!", "https://a"));
	jws = acme_eab(key, "k", "AQID\n", "https://a"); /* as files end */
	assert_non_null(jws);
	json_decref(jws);
}

static void a_request_has_all_names(void **state)
{
	static const char *const hosts[] = { "a.example", "192.0.2.1",
					     "2001:db8::1", "b.example" };
	char *text = acme_request(key, hosts, 4);
	uint8_t der[2048];
	const uint8_t *p = der;
	X509_REQ *req = d2i_X509_REQ(NULL, &p, (long)decode(text, der,
							    sizeof(der)));
	GENERAL_NAMES *names;
	STACK_OF(X509_EXTENSION) * list;

	(void)state;
	assert_non_null(req);
	assert_int_equal(X509_REQ_verify(req, key), 1);
	assert_int_equal(X509_NAME_entry_count(X509_REQ_get_subject_name(req)),
			 0);
	list = X509_REQ_get_extensions(req);
	names = X509V3_get_d2i(list, NID_subject_alt_name, NULL, NULL);
	assert_int_equal(sk_GENERAL_NAME_num(names), 4);
	assert_int_equal(sk_GENERAL_NAME_value(names, 0)->type, GEN_DNS);
	assert_int_equal(sk_GENERAL_NAME_value(names, 1)->type, GEN_IPADD);
	assert_int_equal(ASN1_STRING_length(
				 sk_GENERAL_NAME_value(names, 2)->d.iPAddress),
			 16);
	GENERAL_NAMES_free(names);
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	X509_REQ_free(req);
	free(text);
}

static X509 *cert_in(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	assert_non_null(cert);
	return cert;
}

/* RFC 8737, 3 */
static void the_certificate_of_a_challenge(void **state)
{
	char *pem = acme_challenge_pem("a.example", "token.thumbprint");
	X509 *cert = cert_in(pem);
	ASN1_OBJECT *id = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
	X509_EXTENSION *ext =
		X509_get_ext(cert, X509_get_ext_by_OBJ(cert, id, -1));
	uint8_t want[2 + 32] = { 4, 32 };
	EVP_PKEY *own = acme_key_read(pem);

	(void)state;
	assert_int_equal(X509_check_host(cert, "a.example", 0, 0, NULL), 1);
	assert_int_equal(X509_check_private_key(cert, own), 1);
	assert_int_equal(X509_EXTENSION_get_critical(ext), 1);
	crypto_hash_sha256(want + 2, (const uint8_t *)"token.thumbprint", 16);
	assert_int_equal(ASN1_STRING_length(X509_EXTENSION_get_data(ext)), 34);
	assert_memory_equal(
		ASN1_STRING_get0_data(X509_EXTENSION_get_data(ext)), want, 34);
	acme_key_free(&own);
	ASN1_OBJECT_free(id);
	X509_free(cert);
	acme_secret_free(&pem);
	pem = acme_challenge_pem("192.0.2.1", "x");
	cert = cert_in(pem);
	assert_int_equal(X509_check_ip_asc(cert, "192.0.2.1", 0), 1);
	X509_free(cert);
	acme_secret_free(&pem);
}

static void names(void **state)
{
	static const char *const rows[][3] = {
		{ "A.Example", "a.example", "A.Example" },
		{ "192.0.2.1", "192.0.2.1", "1.2.0.192.in-addr.arpa" },
		{ "2001:DB8:0::1", "2001:db8::1",
		  "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1."
		  "0.0.2.ip6.arpa" },
	};
	char buf[80];

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(rows); i++) {
		char *text = acme_host_text(rows[i][0]);

		assert_string_equal(text, rows[i][1]);
		free(text);
		assert_string_equal(acme_server_name(rows[i][0], buf),
				    rows[i][2]);
	}
	assert_true(acme_is_address("::1"));
	assert_false(acme_is_address("[::1]"));
	assert_false(acme_is_address("a.example"));
}

/* The numbers of RFC 9773, 4.1. */
static char *example(void)
{
	static const uint8_t signer[] = { 0x69, 0x88, 0x5b, 0x6b, 0x87,
					  0x46, 0x40, 0x41, 0xe1, 0xb3,
					  0x7b, 0x84, 0x7b, 0xa0, 0xae,
					  0x2c, 0xde, 0x01, 0xc8, 0xd4 };
	X509 *cert = X509_new();
	AUTHORITY_KEYID *by = AUTHORITY_KEYID_new();
	X509_EXTENSION *names = X509V3_EXT_conf_nid(
		NULL, NULL, NID_subject_alt_name, "DNS:a.example");
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *text;
	long n;

	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), 0x87654321);
	ASN1_TIME_set(X509_getm_notBefore(cert), 1000000000);
	ASN1_TIME_set(X509_getm_notAfter(cert), 1000864000);
	by->keyid = ASN1_OCTET_STRING_new();
	ASN1_OCTET_STRING_set(by->keyid, signer, sizeof(signer));
	X509_add1_ext_i2d(cert, NID_authority_key_identifier, by, 0, 0);
	X509_add_ext(cert, names, -1);
	X509_set_pubkey(cert, key);
	X509_sign(cert, key, EVP_sha256());
	PEM_write_bio_X509(bio, cert);
	n = BIO_get_mem_data(bio, &data);
	text = strndup(data, (size_t)n);
	BIO_free(bio);
	X509_EXTENSION_free(names);
	AUTHORITY_KEYID_free(by);
	X509_free(cert);
	return text;
}

static void what_a_chain_says(void **state)
{
	static const char *const hosts[] = { "a.example", "b.example" };
	struct acme_about a;
	struct hd_error err;
	char *pem = example();

	(void)state;
	assert_int_equal(acme_chain_about(pem, hosts, 1, &a, &err), 0);
	assert_int_equal(a.not_before_s, 1000000000);
	assert_int_equal(a.not_after_s, 1000864000);
	assert_string_equal(a.id, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
	assert_int_equal(acme_chain_about(pem, hosts, 2, &a, &err), -EINVAL);
	assert_string_equal(err.text, "the certificate is not for b.example");
	assert_int_equal(acme_chain_about("junk", NULL, 0, &a, &err), -EINVAL);
	free(pem);
	pem = acme_challenge_pem("a.example", "x");
	assert_int_equal(acme_chain_about(pem, hosts, 1, &a, &err), 0);
	assert_string_equal(a.id, ""); /* it does not say who signed it */
	acme_secret_free(&pem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_kept_as_text),
		cmocka_unit_test(the_thumbprint_is_of_the_public_key),
		cmocka_unit_test(requests_are_signed),
		cmocka_unit_test(an_account_that_is_known_already),
		cmocka_unit_test(a_request_has_all_names),
		cmocka_unit_test(the_certificate_of_a_challenge),
		cmocka_unit_test(names),
		cmocka_unit_test(what_a_chain_says),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
