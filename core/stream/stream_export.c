/* SPDX-License-Identifier: MIT */
/* core/stream/stream_export.c - what a module takes from a stream's TLS.
 * Context: the stream's worker. */
#include <errno.h>
#include <hyper-derp/tls.h>
#include "core/stream/stream_head.h"
#include "core/stream/stream_life.h"
#include "core/tls/tls.h"

int hd_stream_export(struct hd_stream *s, const char *label,
		     const void *context, size_t context_bytes, uint8_t *out,
		     size_t out_bytes)
{
	if (s->tls == NULL)
		return -ENOTCONN;
	return hd_tls_export(s->tls, label, context, context_bytes, out,
			     out_bytes);
}

void hd_stream_logged_in(struct hd_stream *s)
{
	hd_stream_head_drop(s);
	if (s->tls != NULL)
		hd_tls_forget(s->tls);
}
