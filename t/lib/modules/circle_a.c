/* SPDX-License-Identifier: MIT */
/* t/lib/modules/circle_a.c - requires circle_b, which requires it in turn. */
#include <hyper-derp/module.h>

static const char *const circle_a_requires[] = { "circle_b", NULL };

HD_MODULE(circle_a, .version = "1.0", .requires_ = circle_a_requires);
