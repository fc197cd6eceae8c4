/* SPDX-License-Identifier: MIT */
/* t/lib/modules/good.c - a module that loads and does nothing. */
#include <hyper-derp/module.h>

struct good_conf {
	uint64_t number;
};

static const struct hd_option good_options[] = {
	{ .name = "number",
	  .type = HD_OPTION_UINT,
	  .offset = offsetof(struct good_conf, number),
	  .def = "7",
	  .min = 1,
	  .max = 100,
	  .help = "a number",
	  .live = true },
	HD_OPTION_END,
};

HD_MODULE(good, .version = "1.0", .licence = "MIT", .summary = "does nothing",
	  .options = good_options, .conf_size = sizeof(struct good_conf));
