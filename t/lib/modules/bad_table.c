/* SPDX-License-Identifier: MIT */
/* t/lib/modules/bad_table.c - an option lies outside the struct. */
#include <hyper-derp/module.h>

static const struct hd_option bad_table_options[] = {
	{ .name = "far", .type = HD_OPTION_UINT, .offset = 8 },
	HD_OPTION_END,
};

HD_MODULE(bad_table, .options = bad_table_options, .conf_size = 8);
