/* SPDX-License-Identifier: MIT */
/* core/module/module_listed.h - where what is loaded differs from what the next
 * start would load. Main thread. */
#pragma once
#include "core/conf/conf.h"

/* hd_module_is_listed - whether the next start would load it.
 * hd_modules_unlike - each module that is in load_module and not loaded
 * (@listed), or the other way round. */
bool hd_module_is_listed(const struct hd_conf *conf, const char *name);
void hd_modules_unlike(const struct hd_conf *conf,
		       void (*fn)(void *arg, const char *name, bool listed),
		       void *arg);
