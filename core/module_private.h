/* SPDX-License-Identifier: MIT */
/* core/module_private.h - what core/module_*.c share. Main thread. */
#pragma once
#include "core/module_file.h"

struct hd_module_private {
	struct hd_module_file file;
	bool loaded; /* load() succeeded: unload() is due */
};

/* hd_module_section_load - fill the section of a module that is being loaded;
 * it becomes mod->conf. */
int hd_module_section_load(struct hd_conf *conf, struct hd_module *mod,
			   struct hd_error *err);
void hd_module_sections_clear(void);
