/* SPDX-License-Identifier: MIT */
/* t/unit/tls_store.c - handshakes over memory: which certificate answers a
 * name, the chain, ALPN, what is refused. */
#include <hyper-derp/tls.h>
#include "core/base/module_id.h"
#include "t/unit/made_cert.h"
#include "t/unit/shake.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <string.h>

static struct hd_module derp = { .name = "derp" };
static struct hd_module other = { .name = "other" };

/* ---- tests ---- */

static int clean_chain(void **state)
{
	(void)state;
	hd_tls_chain_free(NULL);
	return 0;
}

static void the_name_chooses_the_certificate(void **state)
{
	struct made_cert v[] = {
		made("first", "DNS:first.example"),
		made("wild", "DNS:*.b.example"),
		made("exact", "DNS:x.b.example,DNS:b.example"),
		made("only-cn.example", NULL),
	};
	struct hd_tls_store *store;
	struct hd_error err;

	(void)state;
	assert_int_equal(made_store(v, 4, &store, &err), 0);
	assert_string_equal(made_log, "");
	assert_string_equal(cn_for(store, NULL), "first");
	assert_string_equal(cn_for(store, "first.example"), "first");
	assert_string_equal(cn_for(store, "unknown.example"), "first");
	assert_string_equal(cn_for(store, "y.b.example"), "wild");
	assert_string_equal(cn_for(store, "X.B.Example"), "exact");
	assert_string_equal(cn_for(store, "b.example"), "exact");
	assert_string_equal(cn_for(store, "z.y.b.example"), "first");
	assert_string_equal(cn_for(store, "only-cn.example"),
			    "only-cn.example");
	assert_string_equal(cn_for(store, "no host name"), "first");
	hd_tls_store_put(&store);
	assert_null(store);
	hd_tls_store_put(&store);
}

static void references(void **state)
{
	struct made_cert v[] = { made("a", "DNS:a.example") };
	struct hd_tls_store *store, *second;

	(void)state;
	assert_int_equal(made_store(v, 1, &store, NULL), 0);
	second = hd_tls_store_get(store);
	hd_tls_store_put(&store);
	assert_string_equal(cn_for(second, NULL), "a");
	hd_tls_store_put(&second);
}

static void alpn(void **state)
{
	static const struct {
		const char *offer, *got;
		unsigned alert;
	} cases[] = {
		{ NULL, "", 0 },
		{ "\x08http/1.1", "http/1.1", 0 },
		{ "\x02h2\x08http/1.1", "http/1.1", 0 },
		{ "\x02h2", NULL, 120 },
		{ "\x06hd/1.0\x08http/1.0", NULL, 120 },
		{ "\x09http/1.1x", NULL, 120 },
	};
	struct made_cert v[] = { made("a", "DNS:a.example"),
				 made("b", "DNS:b.example") };
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct hd_tls_store *store;

	(void)state;
	assert_int_equal(made_store(v, 2, &store, NULL), 0);
	for (size_t i = 0; i < HD_ARRAY_N(cases) * 2; i++) {
		struct shake s = { .alpn = cases[i / 2].offer,
				   .name = "b.example",
				   .version = versions[i % 2] };

		shake(store, &s);
		assert_int_equal(s.ok, cases[i / 2].got != NULL);
		assert_int_equal(s.alert, cases[i / 2].alert);
		if (s.ok)
			assert_string_equal(s.alpn_got, cases[i / 2].got);
	}
	hd_tls_store_put(&store);
}

static void append(struct hd_module *mod, const char *cn)
{
	EVP_PKEY *key = made_key(EVP_PKEY_ED25519);
	X509 *cert = made_x509(key, cn, NULL, -30 * DAY_S, 30 * DAY_S);
	unsigned char *der = NULL;
	int n = i2d_X509(cert, &der);

	assert_true(n > 0);
	assert_int_equal(hd_tls_chain_append(mod, der, (size_t)n, NULL), 0);
	OPENSSL_free(der);
	X509_free(cert);
	EVP_PKEY_free(key);
}

/* As DERP's meta certificate: last, in both versions, on every certificate. */
static void appended_certificates_come_last(void **state)
{
	struct made_cert v[] = { made("a", "DNS:a.example"),
				 made("b", "DNS:b.example") };
	struct made_cert issuer = made("issuer", NULL);
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct hd_tls_store *store;

	(void)state;
	made_append(v[0].cert, issuer.cert);
	append(&derp, "derpkey-old");
	append(&other, "other");
	append(&derp, "derpkey");
	assert_int_equal(made_store(v, 2, &store, NULL), 0);
	for (size_t i = 0; i < 2; i++) {
		struct shake s = { .version = versions[i] };

		shake(store, &s);
		assert_true(s.ok);
		assert_int_equal(s.n_cn, 4);
		assert_string_equal(s.cn[0], "a");
		assert_string_equal(s.cn[1], "issuer");
		assert_string_equal(s.cn[2], "derpkey");
		assert_string_equal(s.cn[3], "other");
		s = (struct shake){ .version = versions[i],
				    .name = "b.example" };
		shake(store, &s);
		assert_int_equal(s.n_cn, 3);
		assert_string_equal(s.cn[1], "derpkey");
	}
	hd_tls_store_put(&store);

	hd_tls_chain_free(&derp);
	assert_int_equal(made_store(v, 2, &store, NULL), 0);
	{
		struct shake s = { .name = "b.example" };

		shake(store, &s);
		assert_int_equal(s.n_cn, 2);
		assert_string_equal(s.cn[1], "other");
	}
	hd_tls_store_put(&store);
}

static void only_certificates_are_appended(void **state)
{
	struct hd_error err;

	(void)state;
	assert_int_equal(
		hd_tls_chain_append(&derp, (const uint8_t *)"junk", 4, &err),
		-EINVAL);
	assert_non_null(strstr(err.text, "derp"));
}

static void rsa_and_ecdsa_for_one_name(void **state)
{
	struct made_cert v[] = {
		made_dated("rsa", "DNS:a.example", EVP_PKEY_RSA, -DAY_S, DAY_S),
		made("ecdsa", "DNS:a.example"),
	};
	struct shake any = { .version = TLS1_3_VERSION };
	struct shake rsa = { .version = TLS1_3_VERSION,
			     .sigalgs = "rsa_pss_rsae_sha256" };
	struct shake rsa12 = { .version = TLS1_2_VERSION,
			       .ciphers = "ECDHE-RSA-AES256-GCM-SHA384" };
	struct hd_tls_store *store;

	(void)state;
	append(&derp, "derpkey");
	assert_int_equal(made_store(v, 2, &store, NULL), 0);
	shake(store, &any);
	assert_int_equal(any.key_type, EVP_PKEY_EC);
	assert_string_equal(any.cn[1], "derpkey");
	shake(store, &rsa);
	assert_int_equal(rsa.key_type, EVP_PKEY_RSA);
	assert_string_equal(rsa.cn[1], "derpkey");
	shake(store, &rsa12);
	assert_int_equal(rsa12.key_type, EVP_PKEY_RSA);
	hd_tls_store_put(&store);
}

static void ciphers_and_versions(void **state)
{
	static const struct {
		int version;
		const char *ciphers, *suites, *want;
	} cases[] = {
		{ TLS1_3_VERSION, NULL, NULL, "TLS_AES_128_GCM_SHA256" },
		{ TLS1_3_VERSION, NULL,
		  "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:"
		  "TLS_CHACHA20_POLY1305_SHA256",
		  "TLS_AES_128_GCM_SHA256" },
		{ TLS1_3_VERSION, NULL,
		  "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256",
		  "TLS_CHACHA20_POLY1305_SHA256" },
		{ TLS1_3_VERSION, NULL, "TLS_AES_256_GCM_SHA384",
		  "TLS_AES_256_GCM_SHA384" },
		{ TLS1_2_VERSION, NULL, NULL, "ECDHE-ECDSA-AES128-GCM-SHA256" },
		{ TLS1_2_VERSION,
		  "ECDHE-ECDSA-CHACHA20-POLY1305:"
		  "ECDHE-ECDSA-AES128-GCM-SHA256",
		  NULL, "ECDHE-ECDSA-CHACHA20-POLY1305" },
		/* no forward secrecy, no AEAD, too old */
		{ TLS1_2_VERSION, "AES128-GCM-SHA256", NULL, NULL },
		{ TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", NULL, NULL },
		{ TLS1_1_VERSION, "DEFAULT@SECLEVEL=0", NULL, NULL },
	};
	struct made_cert v[] = { made("a", "DNS:a.example") };
	struct hd_tls_store *store;

	(void)state;
	assert_int_equal(made_store(v, 1, &store, NULL), 0);
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		struct shake s = { .version = cases[i].version,
				   .ciphers = cases[i].ciphers,
				   .suites = cases[i].suites };

		shake(store, &s);
		assert_int_equal(s.ok, cases[i].want != NULL);
		if (!s.ok)
			continue;
		assert_string_equal(s.cipher, cases[i].want);
		assert_string_equal(s.group, "X25519");
	}
	hd_tls_store_put(&store);
}

#define TEST(fn) cmocka_unit_test_teardown(fn, clean_chain)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_name_chooses_the_certificate),
		TEST(references),
		TEST(alpn),
		TEST(appended_certificates_come_last),
		TEST(only_certificates_are_appended),
		TEST(rsa_and_ecdsa_for_one_name),
		TEST(ciphers_and_versions),
	};

	return cmocka_run_group_tests(tests, made_set_up, made_tear_down);
}
