/* SPDX-License-Identifier: MIT */
/* core/state_file.h - the folder that outlives the process. Its files are read
 * and written through hd_state_file_read() and hd_state_file_write(). */
#pragma once
#include <hyper-derp/module.h>

/* hd_state_dir_open - from now on state lives in path, which is made (0700)
 * with its parents if it is missing. Main thread. */
int hd_state_dir_open(const char *path, struct hd_error *err);
void hd_state_dir_close(void);
const char *hd_state_dir(void); /* NULL: not open */
