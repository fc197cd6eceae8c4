/* SPDX-License-Identifier: MIT */
/* t/bench/idle.c - a module that is loaded and does nothing: what does that
 * cost others? t/bench/run builds it. */
#include <hyper-derp/module.h>

HD_MODULE(idle, .version = "1.0", .licence = "MIT",
	  .summary = "a module that does nothing");
