/* SPDX-License-Identifier: MIT */
/* core/stream/first.h - what a connection speaks first. Context: the stream's
 * worker. */
#pragma once
#include "core/stream/stream.h"
#include "core/tls/tls.h"

struct hd_first {
	const struct hd_proto *proto;
	struct hd_module *mod; /* NULL: the core's */
};

/* hd_first_look - what is looked at before it speaks, and stays in the kernel:
 * a PROXY header, a ClientHello. Returns whether there is such.
 * hd_first_find - by the listener. Returns false, and logs it: nobody speaks
 * what the listener names. */
bool hd_first_look(struct hd_stream *s);
bool hd_first_find(struct hd_worker *w, const struct hd_listener *l,
		   const union hd_addr *from, struct hd_first *ret);
/* hd_first_choose - by ALPN: for struct hd_alpn. */
enum hd_alpn_answer hd_first_choose(void *stream,
				    const struct hd_alpn_list *list,
				    const uint8_t **ret);
/* hd_first_opened - bytes can be sent and will come: the module hears of it.
 * @alpn  what was chosen; NULL: nothing
 * hd_first_failed - the handshake came to nothing. */
void hd_first_opened(struct hd_stream *s, const char *alpn);
void hd_first_failed(struct hd_stream *s);
