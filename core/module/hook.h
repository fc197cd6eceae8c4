/* SPDX-License-Identifier: MIT */
/* core/module/hook.h - the registration half of hooks: who asked to be asked.
 * Main thread, in load(). hd_modules_hooks() (module.h) gives the result. */
#pragma once
#include "core/module/module.h"

void hd_hooks_drop(const struct hd_module *mod); /* its hooks; NULL: all */
/* hd_hooks_publish - hd_modules_hooks() gives what has been registered since.
 * Every worker must have taken that before the next call. */
void hd_hooks_publish(void);
/* hd_hooks_count - how many admit and packet hooks a module has. */
void hd_hooks_count(const struct hd_module *mod, unsigned *ret_admit,
		    unsigned *ret_packet);
