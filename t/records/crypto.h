/* SPDX-License-Identifier: MIT */
/* t/records/crypto.h - the same tests with every provider of aead.h, and
 * with all code that ipsec-mb has for this processor or an older one.
 * HD_CRYPTO=NAME: that one only. After t/unit/unit.h. */
#pragma once
#include <stdbool.h>

/* crypto_name - "openssl", "ipsec-mb", "sse", ...; NULL: no more. */
const char *crypto_name(unsigned i);
/* crypto_use - no key may be in use. Returns false: not on this machine. */
bool crypto_use(unsigned i);

/* crypto_run - every test once for each provider. @codes: each of ipsec-mb's.
 * Returns how many failed. */
int crypto_run(const struct CMUnitTest *tests, unsigned n, bool codes);
