/* SPDX-License-Identifier: MIT */
/* core/base/version.c - the only file that is compiled anew for each commit. */
#include "commit.h"
#include "core/base/version.h"

const char hd_version[] = PACKAGE_VERSION;
const char hd_commit[] = HD_COMMIT;
