/* SPDX-License-Identifier: MIT */
/* core/hook.h - the registration half of hooks: who asked to be asked. Main
 * thread, in load(). hd_modules_hooks() (module.h) gives the result. */
#pragma once
#include "core/module.h"

void hd_hooks_drop(const struct hd_module *mod); /* its hooks; NULL: all */
