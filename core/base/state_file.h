/* SPDX-License-Identifier: MIT */
/* core/base/state_file.h - the folder that outlives the process. Its files are
 * read and written through hd_state_file_read() and hd_state_file_write(). */
#pragma once
#include <hyper-derp/module.h>
#include <sys/types.h>

/* hd_state_dir_open - from now on state lives in path, which is made (0700)
 * with its parents if it is missing. Main thread. */
int hd_state_dir_open(const char *path, struct hd_error *err);
/* hd_state_dir_look - the same for a trial, which only reads; one that is not
 * there has no files. */
void hd_state_dir_look(const char *path);
/* hd_state_dir_owner - the folder and the files written from now on belong to
 * the user that the relay will become. As root. */
int hd_state_dir_owner(uid_t uid, gid_t gid, struct hd_error *err);
void hd_state_dir_close(void);
const char *hd_state_dir(void); /* NULL: not open */
