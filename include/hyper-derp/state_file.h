/* SPDX-License-Identifier: MIT */
/* hyper-derp/state_file.h - small files under state_dir, whole or not at all.
 */
#pragma once
#include <hyper-derp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* hd_state_file_read - bytes of state_dir/name into buf.
 * @name  or an absolute path in a folder that is there
 * Returns the length; -ENOENT; -EFBIG longer than size; other -errno.
 * hd_state_file_write - replace it: temporary file, fsync, rename, mode 0600.
 * hd_state_file_update - likewise, and what it was stays beside it, as
 * NAME.before, where the file system has hard links.
 * Main or helper threads: they block. */
HD_API int hd_state_file_read(const char *name, void *buf, size_t size,
			      struct hd_error *err);
HD_API int hd_state_file_write(const char *name, const void *buf,
			       size_t len_bytes, struct hd_error *err);
HD_API int hd_state_file_update(const char *name, const void *buf,
				size_t len_bytes, struct hd_error *err);
/* hd_state_file_path - how messages call the file: its whole path, cut off
 * where buf ends. Main thread. Returns buf. */
HD_API const char *hd_state_file_path(const char *name, char *buf, size_t size);

#ifdef __cplusplus
}
#endif
