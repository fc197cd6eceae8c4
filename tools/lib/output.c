/* SPDX-License-Identifier: MIT */
#include "tools/lib/output.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int output_end(const char *program, int status, int failed)
{
	bool before = ferror(stdout); /* its reason is not known any more */

	errno = 0;
	if (fflush(stdout) == 0 && !before)
		return status;
	if (errno == EPIPE)
		return status;
	fprintf(stderr, "%s: the output is not complete: %s\n", program,
		errno != 0 ? strerror(errno) : "it could not be written");
	return status == 0 ? failed : status;
}
