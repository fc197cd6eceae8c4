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

/* A certificate and its key, for handshakes from now on. */
struct hd_tls_certificate {
	const char *name; /* the module's own for it: what it gave by this name
			     before is replaced */
	const char *pem; /* the key without a passphrase, the certificate and
			    what stands behind it; NULL: no longer served */
	size_t pem_len_bytes;
	/* Both or neither. For clients that ask for this server name (SNI) and
	 * offer this one protocol (ALPN), and nothing else: RFC 8737, 3. */
	const char *server_name, *alpn;
};

/* hd_tls_certificate - serve it, chosen by its names like those of the
 * configuration, behind which it stands. A certificate that the relay made for
 * itself is not served as long as there is one of a module. Connections under
 * way stay. Main thread; what is given is copied. It ends with the module.
 * Workers have it before the next timer of the main thread runs.
 * Returns 0; -EINVAL no PEM, or key and certificate do not belong together;
 * -ENOMEM. */
HD_API int hd_tls_certificate(struct hd_module *mod,
			      const struct hd_tls_certificate *certificate,
			      struct hd_error *err);

#ifdef __cplusplus
}
#endif
