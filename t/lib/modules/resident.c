/* SPDX-License-Identifier: MIT */
/* t/lib/modules/resident.c - a module that says it cannot leave. */
#include <hyper-derp/module.h>

HD_MODULE(resident, .version = "1.0", .licence = "MIT", .summary = "stays",
	  .flags = HD_MODULE_RESIDENT);
