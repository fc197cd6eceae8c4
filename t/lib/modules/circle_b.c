/* SPDX-License-Identifier: MIT */
/* t/lib/modules/circle_b.c - requires circle_a, which requires it in turn. */
#include <hyper-derp/module.h>

static const char *const circle_b_requires[] = { "circle_a", NULL };

HD_MODULE(circle_b, .version = "1.0", .requires_ = circle_b_requires);
