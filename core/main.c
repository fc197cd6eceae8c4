/* SPDX-License-Identifier: MIT */
/* core/main.c - the daemon starts in core/cli.c. Only what a program, and not
 * a library, can have is here: libtool's table of modules that are built in. */
#include <ltdl.h>
#include "core/cli.h"

int main(int argc, char **argv)
{
	LTDL_SET_PRELOADED_SYMBOLS();
	return hd_cli_main(argc, argv);
}
