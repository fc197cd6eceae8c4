/* SPDX-License-Identifier: MIT */
/* core/stream/hello.h - who wants TLS, and whose TLS it is to be. Context: the
 * stream's worker. */
#pragma once
#include "core/stream/stream.h"

/* hd_hello_wanted - whether a module is to be asked about it.
 * hd_hello_read - the ClientHello, as far as it is there; then the relay's own
 * TLS begins, or the module has the connection. */
bool hd_hello_wanted(const struct hd_stream *s);
void hd_hello_read(struct hd_stream *s);
