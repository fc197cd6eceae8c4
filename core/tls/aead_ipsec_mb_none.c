/* SPDX-License-Identifier: MIT */
/* core/tls/aead_ipsec_mb_none.c - where libipsec-mb was not there to build
 * with. */
#include <errno.h>
#include "core/tls/aead.h"

int hd_ipsec_mb_start(enum hd_mb_code code, struct hd_error *err)
{
	(void)code;
	return hd_error_set(err, -ENOTSUP, "built without libipsec-mb");
}

const char *hd_ipsec_mb_about(void)
{
	return "";
}

const struct hd_aead *hd_aead_ipsec_mb(const struct hd_tls_suite *suite)
{
	(void)suite;
	return NULL;
}
