/* SPDX-License-Identifier: MIT */
/* t/records/provider.h - for fuzzers: which provider, anew for every input. */
#pragma once
#include "core/tls/aead.h"

/* provider_pick - no key may be in use. */
static inline void provider_pick(bool openssl)
{
	static const struct hd_aead *fast[HD_TLS_SUITES];
	static bool started;

	if (!started)
		hd_assert(hd_aead_start(HD_CRYPTO_AUTO, NULL) == 0);
	for (unsigned i = 0; i < HD_TLS_SUITES; i++) {
		if (!started)
			fast[i] = hd_aead_of(hd_tls_suite_at(i));
		hd_aead_serve(i, openssl ? NULL : fast[i]);
	}
	started = true;
}
