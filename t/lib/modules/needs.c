/* SPDX-License-Identifier: MIT */
/* t/lib/modules/needs.c - requires the module good. */
#include <hyper-derp/module.h>

static const char *const needs_requires[] = { "good", NULL };

HD_MODULE(needs, .version = "1.0", .requires_ = needs_requires);
