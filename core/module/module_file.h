/* SPDX-License-Identifier: MIT */
/* core/module/module_file.h - a module's file becomes a checked definition;
 * libltdl and dlopen are known nowhere else. Main thread. */
#pragma once
#include "core/module/module.h"

struct hd_module_file {
	struct hd_module_def def; /* copied: fields newer than it are zero */
	char *path; /* NULL: built in */
	void *handle; /* lt_dlhandle */
	int copy_fd; /* the memory that the code runs from; -1: the file */
};

/* ---- module_file.c ---- */

/* hd_module_file_open - load and check; nothing of the module runs but its ELF
 * constructors.
 * @name  what it must be called
 * @path  NULL: built in
 * Returns 0, or negative with what is wrong with the file and what to do. */
int hd_module_file_open(const char *name, const char *path,
			struct hd_module_file *ret, struct hd_error *err);
/* hd_module_file_open_beside - the same while another version of it is loaded:
 * always from a copy. */
int hd_module_file_open_beside(const char *name, const char *path,
			       struct hd_module_file *ret,
			       struct hd_error *err);
/* hd_module_file_close - returns whether the code is really gone: glibc keeps
 * it when something still refers to it, and says nothing. */
bool hd_module_file_close(struct hd_module_file *file);

/* hd_module_built_in - into this program. */
bool hd_module_built_in(const char *name);

/* ---- module_find.c ---- */

/* hd_module_name - "derp" of "derp" and of "/opt/x/derp.so".
 * Returns -EINVAL when nothing usable remains. */
#define HD_MODULE_NAME_BYTES 64
int hd_module_name(const char *entry, char ret[static HD_MODULE_NAME_BYTES]);

/* hd_module_find - where the file of a load_module entry is.
 * @name  "derp": DIR/derp.so in the search path; or an absolute path
 * Returns 0 with the path (to be freed), or NULL when it is built in;
 * -ENOENT with the folders in err. */
int hd_module_find(const char *name, const struct hd_list *search_path,
		   char **ret_path, struct hd_error *err);

/* hd_module_exists - whether a module of this name is loaded, or a load would
 * find it (hd_is_module_fn). */
bool hd_module_exists(const char *key, const struct hd_list *search_path);
/* hd_module_in_build_tree - whether a file is in the folder that a daemon in
 * its build tree has beside it. */
bool hd_module_in_build_tree(const char *path);

/* ---- module_try.c ---- */

/* hd_module_try - what a child does with a file before the relay takes it:
 * open, header, options, check(), load(), unload(), close. No task runs, no
 * file of the state folder is written; there are no workers, no sockets. Call
 * nothing else in this process afterwards. Prints nothing.
 * @cli   its config_path is read for the section; NULL: every option has its
 *        default
 * @text  is read instead, when it is not NULL: of hd_conf_section_text(); then
 *        files of the state folder that it names are read, too */
int hd_module_try(const char *path, const struct hd_conf_cli *cli,
		  const char *text, struct hd_error *err);
struct hd_trial {
	char *path;
	char *text; /* may be NULL */
	char *conf_file; /* what messages call it; may be NULL */
};
void hd_trial_free(struct hd_trial *t);
/* hd_module_try_child - the same in a process of its own, at most 5 s: a file
 * that crashes or hangs takes only the child with it. Helper threads. */
int hd_module_try_child(const struct hd_trial *t, struct hd_error *err);
