/* SPDX-License-Identifier: MIT */
/* core/module/module_left.c - -t: sections of modules that are installed, and
 * that the configuration does not load. `module load` would take them one day,
 * so they are checked as far as the others; since nothing depends on them now,
 * what is wrong is a warning. Context: main thread, no worker runs. */
#include <hyper-derp/log.h>
#include <stdlib.h>
#include "core/module/module_file.h"
#include "core/module/module_life.h"

static int check_file(struct hd_conf *conf, struct hd_module_file *file,
		      struct hd_error *err)
{
	struct hd_module *mod = hd_module_place(file);

	if (mod == NULL) {
		hd_module_file_close(file);
		return 0; /* too many: there is no place to try it */
	}
	int r = hd_module_section_load(conf, mod, err);

	if (r == 0)
		r = hd_life_check(mod, err);
	hd_life_forget(mod);
	return r;
}

static int check(struct hd_conf *conf, const char *name, struct hd_error *err)
{
	struct hd_module_file file;
	char *path = NULL;
	int r = hd_module_find(name, &conf->module_path, &path, err);

	if (r < 0)
		return 0; /* it is not installed */
	r = hd_module_file_open(name, path, &file, err);
	free(path);
	return r == 0 ? check_file(conf, &file, err) : r;
}

static void check_left(void *conf, const char *key)
{
	char name[HD_MODULE_NAME_BYTES];
	struct hd_error err = { "" };

	if (key[0] == '/' || hd_module_name(key, name) < 0 ||
	    hd_modules_find(name) != NULL || check(conf, name, &err) == 0)
		return;
	hd_log_write(HD_LOG_WARN,
		     "%s (`hdctl module load %s` will be refused until this "
		     "is corrected)",
		     err.text, name);
}

void hd_modules_check_left(struct hd_conf *conf)
{
	hd_conf_left(conf, check_left, conf);
}
