/* SPDX-License-Identifier: MIT */
/* tools/lib/error.c - hd_error_set() for programs that are not the daemon. */
#include <hyper-derp/base.h>
#include <stdarg.h>
#include <stdio.h>

int hd_error_set(struct hd_error *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return code;
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}
