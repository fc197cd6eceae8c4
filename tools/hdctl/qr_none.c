/* SPDX-License-Identifier: MIT */
/* tools/hdctl/qr_none.c - without libqrencode. */
#include "tools/hdctl/qr.h"

#include <errno.h>

bool qr_there(void)
{
	return false;
}

int qr_print(FILE *out, const char *text, struct hd_error *err)
{
	(void)out;
	(void)text;
	return hd_error_set(err, -ENOSYS, QR_NONE);
}
