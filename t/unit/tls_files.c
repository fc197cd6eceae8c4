/* SPDX-License-Identifier: MIT */
/* t/unit/tls_files.c - certificate files: what is said about bad ones, and the
 * self-signed ones that we make. */
#include "t/unit/made_cert.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void assert_refused(struct made_cert *m, const char *part)
{
	struct hd_tls_store *store = NULL;
	struct hd_error err = { "" };

	assert_true(made_store(m, 1, &store, &err) < 0);
	assert_null(store);
	if (strstr(err.text, part) == NULL)
		fail_msg("no '%s' in: %s", part, err.text);
	assert_non_null(strstr(err.text, "relay.yaml:"));
}

static void missing_files(void **state)
{
	struct made_cert m = made("a", NULL);
	char want[512];

	(void)state;
	unlink(m.key);
	snprintf(want, sizeof(want),
		 "failed to open certificate key %s: No such file or directory "
		 "(tls_key at relay.yaml:8)",
		 m.key);
	assert_refused(&m, want);
	unlink(m.cert);
	snprintf(want, sizeof(want),
		 "failed to open certificate %s: No such file or directory "
		 "(tls_cert at relay.yaml:7)",
		 m.cert);
	assert_refused(&m, want);
	snprintf(m.cert, sizeof(m.cert), "%s", made_dir);
	snprintf(want, sizeof(want),
		 "failed to open certificate %s: Is a directory", made_dir);
	assert_refused(&m, want);
}

static void wrong_content(void **state)
{
	struct made_cert m = made("a", NULL), n = made("b", NULL);
	struct made_cert swapped = m;

	(void)state;
	strcpy(swapped.key, n.key);
	assert_refused(&swapped, "do not belong together");
	strcpy(swapped.cert, m.key);
	assert_refused(&swapped, "no certificate in it");
	assert_refused(&swapped, "relay.yaml:7");
	made_text(n.key, "no PEM\n");
	strcpy(swapped.cert, m.cert);
	assert_refused(&swapped, "no private key in it");
	assert_refused(&swapped, "relay.yaml:8");
	made_text(n.cert, "");
	assert_refused(&n, "no certificate in it");
	made_append(n.cert, m.cert);
	made_text(n.key, "");
	made_append(n.key, m.key);
	made_append(n.cert, m.cert);
	assert_int_equal(truncate(n.cert, 700), 0);
	assert_refused(&n, "behind the first one is damaged");
}

static void a_passphrase_is_not_asked_for(void **state)
{
	struct made_cert m = made("a", NULL);
	EVP_PKEY *key = made_key(EVP_PKEY_EC);
	FILE *f = fopen(m.key, "w");

	(void)state;
	PEM_write_PrivateKey(f, key, EVP_aes_128_cbc(),
			     (const unsigned char *)"secret", 6, NULL, NULL);
	fclose(f);
	EVP_PKEY_free(key);
	assert_refused(&m, "passphrase");
}

static void assert_warned(struct made_cert *m, const char *part)
{
	struct hd_tls_store *store = NULL;

	assert_int_equal(made_store(m, 1, &store, NULL), 0);
	if (strstr(made_log, part) == NULL)
		fail_msg("no '%s' in: %s", part, made_log);
	hd_tls_store_put(&store);
}

static void warnings(void **state)
{
	struct made_cert old =
		made_dated("a", NULL, EVP_PKEY_EC, -2 * DAY_S, -DAY_S);
	struct made_cert early =
		made_dated("a", NULL, EVP_PKEY_EC, DAY_S, 2 * DAY_S);
	struct made_cert open_key = made("a", NULL);

	(void)state;
	assert_warned(&old, " expired on 20");
	assert_warned(&early, " is not valid until 20");
	chmod(open_key.key, 0644);
	assert_warned(&open_key, "everybody on this machine may read the key");
}

static void no_certificate_at_all(void **state)
{
	struct hd_tls_store *store = NULL;
	struct hd_error err;

	(void)state;
	assert_int_equal(made_store(NULL, 0, &store, &err), -EINVAL);
	assert_non_null(strstr(err.text, "tls_cert"));
}

static void self_signed(void **state)
{
	static const char *const names[] = { "relay.example", "127.0.0.1",
					     "::1" };
	static const char *const more[] = { "relay.example", "10.0.0.1" };
	struct made_cert m = { .files = { .file = "relay.yaml", .line = 7 } };
	struct stat first, again, key;
	struct hd_tls_store *store;
	struct hd_error err;
	FILE *f;
	X509 *cert;

	(void)state;
	assert_int_equal(
		hd_tls_self_signed(made_dir, names, 3, m.cert, m.key, &err), 0);
	assert_non_null(strstr(m.cert, "/relay.example.crt"));
	stat(m.cert, &first);
	stat(m.key, &key);
	assert_int_equal(key.st_mode & 07777, 0600);
	assert_int_equal(made_store(&m, 1, &store, &err), 0);
	assert_string_equal(made_log, "");
	hd_tls_store_put(&store);

	f = fopen(m.cert, "r");
	cert = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	assert_int_equal(X509_check_host(cert, "relay.example", 0, 0, NULL), 1);
	assert_int_equal(X509_check_ip_asc(cert, "127.0.0.1", 0), 1);
	assert_int_equal(X509_check_ip_asc(cert, "::1", 0), 1);
	assert_int_equal(X509_check_ip_asc(cert, "127.0.0.2", 0), 0);
	assert_int_equal(X509_verify(cert, X509_get0_pubkey(cert)), 1);
	assert_int_equal(X509_check_ca(cert), 0);
	X509_free(cert);

	/* kept; made again for another name */
	assert_int_equal(
		hd_tls_self_signed(made_dir, names, 3, m.cert, m.key, &err), 0);
	stat(m.cert, &again);
	assert_true(again.st_ino == first.st_ino);
	assert_int_equal(
		hd_tls_self_signed(made_dir, more, 2, m.cert, m.key, &err), 0);
	assert_int_equal(made_store(&m, 1, &store, &err), 0);
	hd_tls_store_put(&store);
}

static void self_signed_is_renewed(void **state)
{
	static const char *const names[] = { "soon.example" };
	struct made_cert old = made_dated("soon.example", "DNS:soon.example",
					  EVP_PKEY_EC, -DAY_S, 29 * DAY_S);
	char cert_path[256], key_path[256];
	struct stat before, after;

	(void)state;
	snprintf(cert_path, sizeof(cert_path), "%s/soon.example.crt", made_dir);
	snprintf(key_path, sizeof(key_path), "%s/soon.example.key", made_dir);
	assert_int_equal(rename(old.cert, cert_path), 0);
	assert_int_equal(rename(old.key, key_path), 0);
	stat(cert_path, &before);
	assert_int_equal(hd_tls_self_signed(made_dir, names, 1, cert_path,
					    key_path, NULL),
			 0);
	stat(cert_path, &after);
	assert_true(before.st_ino != after.st_ino ||
		    before.st_mtim.tv_nsec != after.st_mtim.tv_nsec);
}

static void self_signed_refusals(void **state)
{
	static const char *const bad[] = { "../x", "", "a,DNS:b", ".hidden",
					   "a b" };
	static const char *const good[] = { "relay.example" };
	char cert[256], key[256];
	struct hd_error err;

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(bad); i++)
		assert_int_equal(hd_tls_self_signed(made_dir, &bad[i], 1, cert,
						    key, &err),
				 -EINVAL);
	assert_int_equal(
		hd_tls_self_signed("/nonexistent", good, 1, cert, key, &err),
		-ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/relay.example.key"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(missing_files),
		cmocka_unit_test(wrong_content),
		cmocka_unit_test(a_passphrase_is_not_asked_for),
		cmocka_unit_test(warnings),
		cmocka_unit_test(no_certificate_at_all),
		cmocka_unit_test(self_signed),
		cmocka_unit_test(self_signed_is_renewed),
		cmocka_unit_test(self_signed_refusals),
	};

	return cmocka_run_group_tests(tests, made_set_up, made_tear_down);
}
