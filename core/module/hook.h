/* SPDX-License-Identifier: MIT */
/* core/module/hook.h - the registration half of hooks: who asked to be asked.
 * Main thread, in load(). hd_modules_hooks() (module.h) gives the result. */
#pragma once
#include "core/base/kind.h"
#include "core/module/module.h"

extern const struct hd_kind hd_hook_kind;
/* hd_hooks_count - how many admit and packet hooks a module has. */
void hd_hooks_count(const struct hd_module *mod, unsigned *ret_admit,
		    unsigned *ret_packet);
