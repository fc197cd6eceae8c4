/* SPDX-License-Identifier: MIT */
/* core/tls/aead.c - which provider encrypts. */
#include "core/tls/aead.h"
#include "core/tls/kdf.h"
#include <errno.h>
#include <hyper-derp/log.h>

/* NULL: OpenSSL. Set before there are workers. */
static const struct hd_aead *chosen[HD_TLS_SUITES];

const struct hd_aead *hd_aead_of(const struct hd_tls_suite *suite)
{
	const struct hd_aead *a = chosen[hd_tls_suite_index(suite)];

	return a != NULL ? a : hd_aead_evp(suite);
}

void hd_aead_serve(unsigned suite_index, const struct hd_aead *aead)
{
	chosen[suite_index] = aead;
}

/* The margin: what is about as fast is not taken by chance. */
unsigned hd_mb_pick(const uint64_t *ns, unsigned n)
{
	unsigned pick = 0;

	for (unsigned i = 1; i < n; i++)
		if (ns[i] < ns[pick] - ns[pick] / 20)
			pick = i;
	return pick;
}

/* Every suite that ipsec-mb serves must answer right, or it serves none. */
static int take_ipsec_mb(enum hd_mb_code code, struct hd_error *err)
{
	const struct hd_aead *take[HD_TLS_SUITES];
	int r = hd_ipsec_mb_start(code, err);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < HD_TLS_SUITES; i++) {
		const struct hd_tls_suite *suite = hd_tls_suite_at(i);

		take[i] = hd_aead_ipsec_mb(suite);
		if (take[i] != NULL && !hd_aead_answers(take[i], suite))
			return hd_error_set(err, -EBADMSG,
					    "%s: wrong answers for %s",
					    hd_ipsec_mb_about(), suite->cipher);
	}
	for (unsigned i = 0; i < HD_TLS_SUITES; i++)
		chosen[i] = take[i];
	return 0;
}

static enum hd_mb_code code_of(enum hd_crypto crypto)
{
	switch (crypto) {
	case HD_CRYPTO_IPSEC_MB_AVX2:
		return HD_MB_AVX2;
	case HD_CRYPTO_IPSEC_MB_SSE:
		return HD_MB_SSE;
	default:
		return HD_MB_BEST;
	}
}

int hd_aead_start(enum hd_crypto crypto, struct hd_error *err)
{
	struct hd_error why = { "" };
	int r;

	for (unsigned i = 0; i < HD_TLS_SUITES; i++)
		chosen[i] = NULL;
	if (crypto == HD_CRYPTO_OPENSSL)
		return 0;
	r = take_ipsec_mb(code_of(crypto), &why);
	if (r == -EBADMSG)
		hd_log_error("%s; OpenSSL encrypts: please report this with "
			     "`hyper-derp -V` and /proc/cpuinfo", why.text);
	if (r < 0 && crypto != HD_CRYPTO_AUTO)
		return hd_error_set(err, -ENOTSUP, "%s", why.text);
	return 0;
}

const char *hd_aead_about(void)
{
	return chosen[0] != NULL ? hd_ipsec_mb_about() : "openssl";
}

void hd_aead_log(void)
{
	hd_log_notice("TLS records: crypto=\"%s\" key_schedule=%s",
		      hd_aead_about(), hd_kdf_about());
}
