/* SPDX-License-Identifier: MIT */
/* core/module/module_listed.c - where what is loaded differs from what the
 * next start would load. */
#include "core/module/module_listed.h"
#include <string.h>
#include "core/module/module.h"
#include "core/module/module_file.h"

bool hd_module_is_listed(const struct hd_conf *conf, const char *name)
{
	char other[HD_MODULE_NAME_BYTES];

	for (size_t i = 0; i < conf->n_load_module; i++)
		if (hd_module_name(conf->load_module[i].name, other) == 0 &&
		    strcmp(other, name) == 0)
			return true;
	return false;
}

void hd_modules_unlike(const struct hd_conf *conf,
		       void (*fn)(void *arg, const char *name, bool listed),
		       void *arg)
{
	char name[HD_MODULE_NAME_BYTES];

	for (size_t i = 0; i < conf->n_load_module; i++)
		if (hd_module_name(conf->load_module[i].name, name) == 0 &&
		    hd_modules_find(name) == NULL)
			fn(arg, name, true);
	for (unsigned i = 0; i < hd_modules_n(); i++)
		if (!hd_module_is_listed(conf, hd_modules_at(i)->name))
			fn(arg, hd_modules_at(i)->name, false);
}
