/* SPDX-License-Identifier: MIT */
/* t/lib/modules/wrong_name.c - calls itself otherwise than its file. */
#include <hyper-derp/module.h>

HD_API extern const struct hd_module_def wrong_name_LTX_hd_module;
const struct hd_module_def wrong_name_LTX_hd_module = {
	.magic = HD_MODULE_MAGIC,
	.abi_major = HD_ABI_MAJOR,
	.size = sizeof(struct hd_module_def),
	.name = "other",
};
