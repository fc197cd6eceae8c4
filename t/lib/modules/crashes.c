/* SPDX-License-Identifier: MIT */
/* t/lib/modules/crashes.c - ends the process that opens it. */
#include <hyper-derp/module.h>
#include <stdlib.h>

__attribute__((constructor)) static void crash(void)
{
	abort();
}

HD_MODULE(crashes, .version = "1.0");
