/* SPDX-License-Identifier: MIT */
/* tools/lib/cert_days.h - how long a certificate is good for. */
#pragma once
#include <openssl/x509.h>

/* cert_days_left - whole days until it expires; negative: so long ago.
 * cert_days_low - with fewer left its renewal is late: 14, or a third of its
 * life where that is less. One of six days is renewed when three are left. */
int cert_days_left(const X509 *cert);
int cert_days_low(const X509 *cert);
