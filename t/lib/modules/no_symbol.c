/* SPDX-License-Identifier: MIT */
/* t/lib/modules/no_symbol.c - a library, but not a module. */
#include <hyper-derp/base.h>

HD_API int hd_test_answer(void);
int hd_test_answer(void)
{
	return 42;
}
