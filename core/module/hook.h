/* SPDX-License-Identifier: MIT */
/* core/module/hook.h - the registration half of hooks: who asked to be asked.
 * Main thread, in load(). hd_modules_hooks() (module.h) gives the result. */
#pragma once
#include "core/base/kind.h"
#include "core/module/module.h"

extern const struct hd_kind hd_hook_kind;

/* Modules with HD_MODULE_GUARD that were lost: in hd_modules_hooks().
 * hd_guard_lost - what it registered has been withdrawn, and it should be
 * there. hd_guard_back - it is. From the next publish on.
 * hd_guard_is_lost - whether this one is.
 * hd_guard_give_up - an operator wants it so: now, in all workers.
 * hd_guards_lost - how many are: any thread. */
void hd_guard_lost(const char *name);
void hd_guard_back(const char *name);
bool hd_guard_is_lost(const char *name);
void hd_guard_give_up(const char *name);
unsigned hd_guards_lost(void);
