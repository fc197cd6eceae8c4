/* SPDX-License-Identifier: MIT */
/* core/base/secret.h - where secrets live: see hd_secret_alloc() in the public
 * API. */
#pragma once
#include <hyper-derp/config.h>

/* hd_process_protect - not dumpable, no core file, unless core dumps are on. */
void hd_process_protect(bool core_dumps);
/* hd_secret_shrink - of hd_secret_alloc(): what is behind so many bytes is
 * wiped and given back, in pages. */
void hd_secret_shrink(void *secret, size_t len_bytes);
/* hd_secret_read - a file's bytes into locked memory, white space at the end
 * removed. Returns 0 or negative with the reason. */
int hd_secret_read(const char *path, struct hd_secret *ret,
		   struct hd_error *err);
