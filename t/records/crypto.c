/* SPDX-License-Identifier: MIT */
/* t/records/crypto.c - see crypto.h. */
#include "t/unit/unit.h"
#include <hyper-derp/base.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/tls/aead.h"
#include "t/records/crypto.h"

static const struct {
	const char *name;
	enum hd_mb_code code;
} providers[] = {
	{ "openssl", HD_MB_BEST },  { "ipsec-mb", HD_MB_BEST },
	{ "sse", HD_MB_SSE },	    { "avx", HD_MB_AVX },
	{ "avx2", HD_MB_AVX2 },	    { "avx512", HD_MB_AVX512 },
};
#define PROVIDERS HD_ARRAY_N(providers)

const char *crypto_name(unsigned i)
{
	return i < PROVIDERS ? providers[i].name : NULL;
}

bool crypto_use(unsigned i)
{
	bool ok = i == 0 || hd_ipsec_mb_start(providers[i].code, NULL) == 0;

	for (unsigned k = 0; k < HD_TLS_SUITES; k++) /* not asked: tests ask */
		hd_aead_serve(k, i == 0 ? NULL :
					  hd_aead_ipsec_mb(hd_tls_suite_at(k)));
	return ok;
}

static bool wanted(unsigned i)
{
	const char *only = getenv("HD_CRYPTO");

	return (only == NULL || strcmp(only, crypto_name(i)) == 0) &&
	       crypto_use(i);
}

struct run {
	unsigned provider;
	CMFixtureFunction setup;
};

static int set_up(void **state)
{
	const struct run *run = *state;

	if (!crypto_use(run->provider))
		return -1;
	return run->setup != NULL ? run->setup(state) : 0;
}

int crypto_run(const struct CMUnitTest *tests, unsigned n, bool codes)
{
	unsigned providers_n = codes ? PROVIDERS : 2, all = 0;
	struct CMUnitTest *v = calloc((size_t)n * providers_n, sizeof(*v));
	struct run *runs = calloc((size_t)n * providers_n, sizeof(*runs));
	char(*names)[128] = calloc((size_t)n * providers_n, sizeof(*names));
	int failed;

	for (unsigned p = 0; p < providers_n; p++) {
		for (unsigned i = 0; wanted(p) && i < n; i++, all++) {
			runs[all] = (struct run){ p, tests[i].setup_func };
			snprintf(names[all], sizeof(names[all]), "%s (%s)",
				 tests[i].name, crypto_name(p));
			v[all] = tests[i];
			v[all].name = names[all];
			v[all].setup_func = set_up;
			v[all].initial_state = &runs[all];
		}
	}
	hd_assert(all > 0); /* HD_CRYPTO is one of ours, and is here */
	failed = _cmocka_run_group_tests("tests", v, all, NULL, NULL);
	crypto_use(0);
	free(v);
	free(runs);
	free(names);
	return failed;
}
