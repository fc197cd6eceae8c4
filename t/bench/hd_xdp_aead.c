/* SPDX-License-Identifier: MIT */
/* t/bench/hd_xdp_aead.c - the relay's cipher, for both ends of t/bench/hd-xdp.
 * One key and one nonce: nobody but the benchmark sees what is sealed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "core/base/clock.h"
#include "core/tls/aead.h"
#include "t/bench/hd_xdp.h"

static const struct hd_aead *aead;
static void *open_key, *seal_key;
static const uint8_t nonce[HD_TLS_IV_BYTES];

void hd_xdp_fail(const char *what)
{
	fprintf(stderr, "hd_xdp: %s: %s\n", what, strerror(errno));
	exit(1);
}

void hd_xdp_aead_start(void)
{
	static const uint8_t key[HD_TLS_KEY_MAX_BYTES];
	const struct hd_tls_suite *suite = hd_tls_suite_at(0);

	if (hd_aead_start(HD_CRYPTO_AUTO, NULL) < 0)
		hd_xdp_fail("no cipher");
	aead = hd_aead_of(suite);
	open_key = aead->make(suite);
	seal_key = aead->make(suite);
	if (aead->expand(open_key, key, false) < 0 ||
	    aead->expand(seal_key, key, true) < 0)
		hd_xdp_fail("no key");
}

const char *hd_xdp_aead_about(void)
{
	return hd_aead_about();
}

void hd_xdp_seal(uint8_t *p, size_t n)
{
	aead->seal(seal_key, nonce, p, HD_XDP_HEAD_BYTES, n);
}

int hd_xdp_open(const uint8_t *p, size_t n, uint8_t *out)
{
	return aead->open(open_key, nonce, p, HD_XDP_HEAD_BYTES, n, out) == 0;
}
