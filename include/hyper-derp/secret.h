/* SPDX-License-Identifier: MIT */
/* hyper-derp/secret.h - memory for keys. */
#pragma once
#include <hyper-derp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* struct hd_secret - what HD_OPTION_SECRET_FILE (config.h) has read: the core's
 * memory, wiped when it is replaced, never in a core dump. */
struct hd_secret {
	const uint8_t *v;
	size_t len_bytes;
};

/* hd_secret_alloc - zeroed memory that is left out of core dumps and locked, so
 * that it is never swapped; a warning says where the limit of locked memory
 * forbids that. hd_secret_free wipes it. Main thread. Returns NULL when out of
 * memory. */
HD_API void *hd_secret_alloc(size_t len_bytes);
HD_API void hd_secret_free(void *secret);

#ifdef __cplusplus
}
#endif
