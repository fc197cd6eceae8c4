/* SPDX-License-Identifier: MIT */
/* hyper-derp/tls.h - what a module adds to TLS, and takes from it. */
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

/* hd_stream_export - keying material that both ends of the client's TLS
 * connection can work out and nobody else: what a client signs then counts on
 * this connection only, and who stands in between is found out. Source: RFC
 * 8446, 7.5; RFC 9266 has the label HD_TLS_CHANNEL_BINDING, an empty context
 * and 32 bytes. From the protocol's first call until admitted() has returned:
 * then the secret is wiped; where nobody logs in, as on connections that were
 * dialled, until the end. TLS 1.3 only. The stream's worker; about 10 us.
 * @label    at most 200 bytes; RFC 5705, 4 says which are free
 * @context  may be NULL when context_bytes is 0
 * @out      at most 4,096 bytes
 * Returns 0; -ENOTCONN there is no TLS; -EPROTONOSUPPORT it is TLS 1.2;
 * -ESTALE admitted() has returned; -EINVAL too long; -EPROTO. */
#define HD_TLS_CHANNEL_BINDING "EXPORTER-Channel-Binding"
#define HD_TLS_CHANNEL_BINDING_BYTES 32
HD_API int hd_stream_export(struct hd_stream *s, const char *label,
			    const void *context, size_t context_bytes,
			    uint8_t *out, size_t out_bytes);

#ifdef __cplusplus
}
#endif
