/* SPDX-License-Identifier: MIT */
/* tools/lib/cert_days.c - how long a certificate is good for. */
#include "tools/lib/cert_days.h"

enum { DAYS_LOW_MAX = 14 };

/* @from  NULL: now */
static int days_between(const ASN1_TIME *from, const ASN1_TIME *to)
{
	int days = 0, seconds = 0;

	ASN1_TIME_diff(&days, &seconds, from, to);
	return seconds < 0 ? days - 1 : days;
}

int cert_days_left(const X509 *cert)
{
	return days_between(NULL, X509_get0_notAfter(cert));
}

int cert_days_low(const X509 *cert)
{
	int third = days_between(X509_get0_notBefore(cert),
				 X509_get0_notAfter(cert)) / 3;

	return third < DAYS_LOW_MAX ? third : DAYS_LOW_MAX;
}
