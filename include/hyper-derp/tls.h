/* SPDX-License-Identifier: MIT */
/* hyper-derp/tls.h - what a module adds to TLS. */
#pragma once
#include <hyper-derp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* hd_tls_chain_append - a certificate that is served behind every chain, as
 * DERP's meta certificate is. Replaces the module's earlier one. Main thread.
 * @der  borrowed
 * Returns 0; -EINVAL not a certificate; -ENOMEM. */
HD_API int hd_tls_chain_append(struct hd_module *mod, const uint8_t *der,
			       size_t len_bytes, struct hd_error *err);

#ifdef __cplusplus
}
#endif
