/* SPDX-License-Identifier: MIT */
/* t/unit/aead_choice.c - what hd_aead_start() does with a provider that gives a
 * wrong answer for one suite: OpenSSL serves all of them. The provider stands
 * here, in place of core/tls/aead_ipsec_mb.c: OpenSSL's, with a wrong tag where
 * the test says so. */
#include "t/unit/unit.h"
#include <errno.h>
#include <string.h>
#include "core/tls/aead.h"

static unsigned wrong; /* suite; HD_TLS_SUITES: none */
static struct hd_aead ours[HD_TLS_SUITES];

static int seal_wrongly(void *key, const uint8_t *nonce, uint8_t *record,
			size_t head_bytes, size_t n)
{
	const struct hd_aead *evp = hd_aead_evp(hd_tls_suite_at(wrong));
	int r = evp->seal(key, nonce, record, head_bytes, n);

	record[head_bytes + n] ^= 1;
	return r;
}

/* ---- the provider ---- */

int hd_ipsec_mb_start(enum hd_mb_code code, struct hd_error *err)
{
	(void)code;
	(void)err;
	for (unsigned i = 0; i < HD_TLS_SUITES; i++)
		ours[i] = *hd_aead_evp(hd_tls_suite_at(i));
	if (wrong < HD_TLS_SUITES)
		ours[wrong].seal = seal_wrongly;
	return 0;
}

const struct hd_aead *hd_aead_ipsec_mb(const struct hd_tls_suite *suite)
{
	return &ours[hd_tls_suite_index(suite)];
}

const char *hd_ipsec_mb_about(void)
{
	return "of the test";
}

/* ---- tests ---- */

static bool serves(unsigned suite)
{
	return hd_aead_of(hd_tls_suite_at(suite)) == &ours[suite];
}

static void right_answers(void **state)
{
	(void)state;
	wrong = HD_TLS_SUITES;
	assert_int_equal(hd_aead_start(HD_CRYPTO_AUTO, NULL), 0);
	for (unsigned i = 0; i < HD_TLS_SUITES; i++)
		assert_true(serves(i));
	assert_string_equal(hd_aead_about(), "of the test");
}

static void one_wrong_answer(void **state)
{
	struct hd_error err;

	(void)state;
	for (wrong = 0; wrong < HD_TLS_SUITES; wrong++) {
		assert_int_equal(hd_aead_start(HD_CRYPTO_AUTO, &err), 0);
		for (unsigned i = 0; i < HD_TLS_SUITES; i++)
			assert_ptr_equal(hd_aead_of(hd_tls_suite_at(i)),
					 hd_aead_evp(hd_tls_suite_at(i)));
		assert_string_equal(hd_aead_about(), "openssl");
	}
}

static void one_that_was_asked_for(void **state)
{
	struct hd_error err;

	(void)state;
	wrong = 1;
	assert_int_equal(hd_aead_start(HD_CRYPTO_IPSEC_MB, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "wrong answers"));
	assert_string_equal(hd_aead_about(), "openssl");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(right_answers),
		cmocka_unit_test(one_wrong_answer),
		cmocka_unit_test(one_that_was_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
