/* SPDX-License-Identifier: MIT */
/* core/base/audit_file.h - a file of whole lines, on a disk that may be full.
 * Context: the thread that writes. */
#pragma once
#include <hyper-derp/base.h>

/* hd_audit_fd_open - returns a descriptor, or negative errno. A last line
 * without an end gets one.
 * hd_audit_fd_is_at - whether the path still leads to it. */
int hd_audit_fd_open(const char *path);
bool hd_audit_fd_is_at(int fd, const char *path);
/* hd_audit_fd_write - lines. What of one came in when the disk became full is
 * cut off again.
 * @ret_whole  bytes that are in the file, whole lines
 * Returns 0: all are; negative errno. */
int hd_audit_fd_write(int fd, const char *lines, size_t n, size_t *ret_whole);
