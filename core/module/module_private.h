/* SPDX-License-Identifier: MIT */
/* core/module/module_private.h - what module_*.c share. Main thread. */
#pragma once
#include "core/module/module_file.h"

struct hd_module_private {
	struct hd_module_file file;
	char name[HD_MODULE_NAME_BYTES];
	bool loaded; /* load() succeeded: unload() is due */
};

/* ---- module_list.c ---- */

/* hd_module_place - a slot for what was opened; file is taken.
 * Returns NULL when all are in use. hd_module_remove - closes the file; the
 * module has unloaded and no worker knows it any more. Returns whether the
 * code is really gone. */
struct hd_module *hd_module_place(struct hd_module_file *file);
bool hd_module_remove(struct hd_module *mod);
/* hd_module_set_file - it runs from another file now; file is taken. */
void hd_module_set_file(struct hd_module *mod, struct hd_module_file *file);
/* hd_module_list - from now on in hd_modules_slot(): its metrics are there in
 * every worker. Or no more: then it waits for who holds the list, and each
 * worker must end a turn before anything of the module is freed. */
void hd_module_list(struct hd_module *mod, bool on);
/* hd_module_lock - while what hd_modules_hold() protects changes. */
void hd_module_lock(void);
void hd_module_unlock(void);

/* ---- module_load.c ---- */

/* hd_module_unmet - the first module that it requires and that is not loaded;
 * NULL: all are. */
const char *hd_module_unmet(const struct hd_module_def *def);

/* ---- module_run.c: in a worker ---- */

/* hd_module_prepare - memory, unless it has it; its posts wait.
 * hd_module_start - start(). hd_module_stop - its posts run, or are dropped;
 * stop(), if it has started; what it has registered here ends or is kept for
 * other code.
 * hd_module_free - the memory. */
int hd_module_prepare(struct hd_module *mod, struct hd_worker *w,
		      struct hd_error *err);
int hd_module_start(struct hd_module *mod, struct hd_worker *w,
		    struct hd_error *err);
void hd_module_stop(struct hd_module *mod, struct hd_worker *w, bool kept);
void hd_module_free(struct hd_module *mod, struct hd_worker *w);

/* ---- module_run.c: main thread ---- */

/* hd_module_section_load - fill the section of a module that is being loaded;
 * it becomes mod->conf. */
int hd_module_section_load(struct hd_conf *conf, struct hd_module *mod,
			   struct hd_error *err);
/* hd_module_section_set - the same from a struct that is filled already. */
void hd_module_section_set(struct hd_module *mod, const void *section);
/* hd_module_sections_begin - of this configuration: modules will be loaded. */
void hd_module_sections_begin(struct hd_conf *conf);
void hd_module_sections_clear(void);
