/* SPDX-License-Identifier: MIT */
/* tools/hdctl/file_arg.h - files that the user names and the relay reads as
 * text. */
#pragma once
#include "tools/hdctl/ask.h"

/* file_arg_find - which of a command's words, those behind its name, is a
 * file.
 * @entry  the command in the daemon's table
 * Returns n: none is. */
size_t file_arg_find(const json_t *entry, const char *const *words, size_t n);
/* file_arg_read - all of a file; "-" is the standard input.
 * @ret_text  given: free()
 * Returns HDCTL_OK or HDCTL_USAGE. */
int file_arg_read(const char *name, char **ret_text, struct hd_error *err);
