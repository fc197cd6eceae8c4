/* SPDX-License-Identifier: MIT */
/* hyper-derp/offer.h - what one module tells others: bytes under a name. A
 * header of both has the name and the struct. For what changes with the
 * module's code only, such as who the relay is for its protocol. */
#pragma once
#include <hyper-derp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* hd_offer - other modules find these bytes from now on. In load(); ends with
 * the module, and a reload offers anew.
 * @name  "derp.identity": the module's and a dot first; copied
 * @data  copied, into memory as of hd_secret_alloc()
 * Returns 0; -EEXIST the name is taken; -ENOMEM. */
HD_API int hd_offer(struct hd_module *mod, const char *name, const void *data,
		    size_t len_bytes, struct hd_error *err);

/* hd_offered - a copy of what is offered; the caller wipes it if it is secret.
 * Any thread; it takes a lock, so not for each packet. A module that needs it
 * has the other one in hd_module_def.requires_.
 * Returns 0; -ENOENT nobody offers it; -EINVAL it has another length: the two
 * modules are of different versions. On failure ret is not touched. */
HD_API int hd_offered(const char *name, void *ret, size_t len_bytes);

#ifdef __cplusplus
}
#endif
