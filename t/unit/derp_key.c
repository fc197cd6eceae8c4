/* SPDX-License-Identifier: MIT */
/* t/unit/derp_key.c - the relay's key file and the meta certificate. */
#include "modules/derp/derp.h"
#include "t/unit/derp_help.h"
#include <errno.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

extern const struct hd_module_def derp_LTX_hd_module;

static struct derp_conf conf;
static struct hd_error err;

static int setup(void **state)
{
	(void)state;
	conf = (struct derp_conf){ .keepalive_ms = KEEPALIVE_MS };
	fake_bytes_free(&fake.state_file);
	fake.state_error = 0;
	return 0;
}

static int load(void)
{
	return fake_load(&derp_LTX_hd_module, &conf, &err);
}

static int load_file(const char *text)
{
	fake_bytes_free(&fake.state_file);
	fake_bytes_add(&fake.state_file, text, strlen(text));
	return load();
}

static void assert_server_key(const char *want)
{
	assert_string_equal(derp_server->public_hex, want);
	assert_hex(derp_server->id.public_key.b, 32, want);
}

/* ---- key file ---- */

static void key_is_made_and_kept(void **state)
{
	char first[65];

	(void)state;
	assert_int_equal(load(), 0);
	assert_string_equal(fake.state_name, "derp.key");
	assert_int_equal(fake.state_file.n, 15 + 8 + 64 + 3);
	assert_memory_equal(fake.state_file.v,
			    "{\"PrivateKey\":\"privkey:", 23);
	assert_memory_equal(fake.state_file.v + 87, "\"}\n", 3);
	strcpy(first, derp_server->public_hex);
	fake_unload();
	assert_int_equal(load(), 0);
	assert_string_equal(derp_server->public_hex, first);
	assert_null(fake.state_name); /* not written again */
	fake_unload();
}

static void forms_of_the_file(void **state)
{
	static const char *const texts[] = {
		"{\n\t\"PrivateKey\": \"privkey:" SERVER_PRIVATE "\"\n}\n",
		"{\"PrivateKey\":\"privkey:" SERVER_PRIVATE "\"}",
		"privkey:" SERVER_PRIVATE "\n",
		"privkey:" SERVER_PRIVATE,
		SERVER_PRIVATE "\n",
		SERVER_PRIVATE,
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(texts); i++) {
		assert_int_equal(load_file(texts[i]), 0);
		assert_server_key(SERVER_PUBLIC);
		fake_unload();
	}
}

/* A wrong file is an error: a new key would be another relay. */
static void wrong_files(void **state)
{
	static const char *const texts[] = {
		"",
		"{}",
		"privkey:",
		"privkey:" ALICE_PUBLIC "0",
		"privkey:107777777777777777777777777777777777777777",
		"privkey:"
		"zz77777777777777777777777777777777777777777777777777777"
		"7777777",
		"privkey:"
		"00000000000000000000000000000000000000000000000000000000"
		"00000000",
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(texts); i++) {
		fake_bytes_free(&fake.state_file);
		fake.state_file.v = malloc(1);
		fake_bytes_add(&fake.state_file, texts[i], strlen(texts[i]));
		assert_int_equal(load(), -EINVAL);
		assert_non_null(strstr(err.text, "derp.key"));
		assert_null(derp_server);
		assert_int_equal(fake.state_file.n, strlen(texts[i]));
	}
}

static void unreadable_file_is_not_replaced(void **state)
{
	(void)state;
	fake.state_error = -EACCES;
	assert_int_equal(load(), -EACCES);
	assert_null(fake.state_name);
}

static void option_comes_first(void **state)
{
	static const char text[] = "privkey:" SERVER_PRIVATE "\n";

	(void)state;
	conf.private_key.v = (const uint8_t *)text;
	conf.private_key.len_bytes = strlen(text);
	fake.state_error = -EACCES; /* must not be read */
	assert_int_equal(load(), 0);
	assert_server_key(SERVER_PUBLIC);
	fake_unload();
}

static void wrong_option_names_itself(void **state)
{
	(void)state;
	conf.private_key.v = (const uint8_t *)"hello";
	conf.private_key.len_bytes = 5;
	assert_int_equal(load(), -EINVAL);
	assert_non_null(strstr(err.text, "derp.private_key"));
}

/* ---- meta certificate ---- */

static X509 *certificate(void)
{
	const uint8_t *der;
	X509 *x;

	assert_int_equal(load_file(SERVER_PRIVATE), 0);
	der = fake.certificate.v;
	x = d2i_X509(NULL, &der, (long)fake.certificate.n);
	assert_non_null(x);
	assert_ptr_equal(der, fake.certificate.v + fake.certificate.n);
	return x;
}

static void certificate_carries_key_and_version(void **state)
{
	X509 *x = certificate();
	char name[128];

	(void)state;
	X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName,
				  name, sizeof(name));
	assert_string_equal(name, "derpkey" SERVER_PUBLIC);
	assert_int_equal(X509_NAME_cmp(X509_get_subject_name(x),
				       X509_get_issuer_name(x)),
			 0);
	assert_int_equal(ASN1_INTEGER_get(X509_get0_serialNumber(x)), 2);
	assert_int_equal(X509_get_version(x), X509_VERSION_3);
	X509_free(x);
	fake_unload();
}

static void certificate_outlives_the_relay(void **state)
{
	X509 *x = certificate();
	time_t now = time(NULL), day = 24 * 3600;
	time_t at29 = now - 29 * day, at31 = now - 31 * day;

	(void)state;
	assert_true(X509_cmp_time(X509_get0_notBefore(x), &at29) < 0);
	assert_true(X509_cmp_time(X509_get0_notBefore(x), &at31) > 0);
	now += 9 * 365 * day;
	assert_true(X509_cmp_time(X509_get0_notAfter(x), &now) > 0);
	X509_free(x);
	fake_unload();
}

static void certificate_is_self_signed_ed25519(void **state)
{
	X509 *x = certificate();
	EVP_PKEY *key = X509_get0_pubkey(x);
	int critical;
	BASIC_CONSTRAINTS *bc =
		X509_get_ext_d2i(x, NID_basic_constraints, &critical, NULL);

	(void)state;
	assert_int_equal(EVP_PKEY_get_id(key), EVP_PKEY_ED25519);
	assert_int_equal(X509_verify(x, key), 1);
	assert_non_null(bc);
	assert_int_equal(bc->ca, 0);
	assert_int_equal(critical, 1);
	BASIC_CONSTRAINTS_free(bc);
	X509_free(x);
	fake_unload();
}

#define TEST(fn) cmocka_unit_test_setup(fn, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(key_is_made_and_kept),
		TEST(forms_of_the_file),
		TEST(wrong_files),
		TEST(unreadable_file_is_not_replaced),
		TEST(option_comes_first),
		TEST(wrong_option_names_itself),
		TEST(certificate_carries_key_and_version),
		TEST(certificate_outlives_the_relay),
		TEST(certificate_is_self_signed_ed25519),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	fake_bytes_free(&fake.state_file);
	return r;
}
