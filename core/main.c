/* SPDX-License-Identifier: MIT */
/* core/main.c - the daemon. */
#include "core/version.h"
#include <stdio.h>

int main(void)
{
	printf("hyper-derp %s (%s)\n", hd_version, hd_commit);
	return 0;
}
