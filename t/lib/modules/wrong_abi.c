/* SPDX-License-Identifier: MIT */
/* t/lib/modules/wrong_abi.c - built for an ABI to come. */
#include <hyper-derp/module.h>

HD_API extern const struct hd_module_def wrong_abi_LTX_hd_module;
const struct hd_module_def wrong_abi_LTX_hd_module = {
	.magic = HD_MODULE_MAGIC,
	.abi_major = HD_ABI_MAJOR + 1,
	.size = sizeof(struct hd_module_def),
	.name = "wrong_abi",
};
