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

/* The newest stands first; older ones must save 5 % of what is taken so far. */
static void an_older_code_must_be_faster(void **state)
{
	const uint64_t same[] = { 1000, 1000, 1000 };
	const uint64_t near[] = { 1000, 951, 950 };
	const uint64_t faster[] = { 1000, 949, 1200 };
	const uint64_t zen4[] = { 5637, 5080, 5039 }; /* avx2, avx, sse */
	const uint64_t twice[] = { 1000, 900, 700 };
	const uint64_t unknown[] = { UINT64_MAX, UINT64_MAX };

	(void)state;
	assert_int_equal(hd_mb_pick(same, 3), 0);
	assert_int_equal(hd_mb_pick(near, 3), 0);
	assert_int_equal(hd_mb_pick(faster, 3), 1);
	assert_int_equal(hd_mb_pick(zen4, 3), 1);
	assert_int_equal(hd_mb_pick(twice, 3), 2);
	assert_int_equal(hd_mb_pick(unknown, 2), 0);
	assert_int_equal(hd_mb_pick(same, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(right_answers),
		cmocka_unit_test(one_wrong_answer),
		cmocka_unit_test(one_that_was_asked_for),
		cmocka_unit_test(an_older_code_must_be_faster),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
