/* SPDX-License-Identifier: MIT */
/* t/lib/modules/newer_minor.c - needs what this relay does not have yet. */
#include <hyper-derp/module.h>

HD_API extern const struct hd_module_def newer_minor_LTX_hd_module;
const struct hd_module_def newer_minor_LTX_hd_module = {
	.magic = HD_MODULE_MAGIC,
	.abi_major = HD_ABI_MAJOR,
	.abi_minor = HD_ABI_MINOR + 1,
	.size = sizeof(struct hd_module_def),
	.name = "newer_minor",
};
