/* SPDX-License-Identifier: MIT */
/* core/daemon/main.c - the daemon starts in core/daemon/cli.c. Only what a
 * program, and not a library, can have is here: libtool's table of modules that
 * are built in. */
#include <hyper-derp/whole.h>
#include <ltdl.h>
#include <stdlib.h>
#include "core/daemon/cli.h"

int main(int argc, char **argv)
{
	if (hd_stdio_whole() < 0)
		return EXIT_FAILURE;
	LTDL_SET_PRELOADED_SYMBOLS();
	return hd_cli_main(argc, argv);
}
