/* SPDX-License-Identifier: MIT */
/* core/version.c - the only file that is compiled anew for each commit. */
#include "core/version.h"
#include "commit.h"

const char hd_version[] = PACKAGE_VERSION;
const char hd_commit[] = HD_COMMIT;
