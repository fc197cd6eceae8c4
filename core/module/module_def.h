/* SPDX-License-Identifier: MIT */
/* core/module/module_def.h - is this what a module of our ABI looks like? */
#pragma once
#include <hyper-derp/module.h>

/* hd_module_def_check - everything about the definition itself.
 * @def   as the file has it: only def->size bytes of it exist
 * @name  what it must be called
 * @ret   a copy, in which fields the file does not have are zero
 * Returns 0; -ENOEXEC it is not a module for this relay, err says why. */
int hd_module_def_check(const struct hd_module_def *def, const char *name,
			struct hd_module_def *ret, struct hd_error *err);
