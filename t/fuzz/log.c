/* SPDX-License-Identifier: MIT */
/* t/fuzz/log.c - in place of the log, for targets that are linked with
 * -Wl,--wrap=hd_log_write: a line is formatted, so that a sanitizer sees what a
 * reader would, and goes nowhere. */
#include <hyper-derp/log.h>
#include <stdarg.h>
#include <stdio.h>

void __wrap_hd_log_write(enum hd_log_level level, const char *fmt, ...)
	HD_PRINTF(2, 3);

void __wrap_hd_log_write(enum hd_log_level level, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	(void)level;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
}
