/* SPDX-License-Identifier: MIT */
/* core/stream/proxied.h - connections that come through proxies, whose clients
 * are others than the sockets' other ends. Context: the stream's worker. */
#pragma once
#include "core/stream/stream.h"

/* Of a stream whose client is not the other end of its socket. */
struct hd_proxied {
	union hd_addr proxy; /* the socket's other end */
	union hd_addr named; /* the client's, if a PROXY header names it;
				else the proxy's */
};

/* hd_proxied_may_come - whether the listener takes connections from there.
 * Returns false, and logs and counts it: it is for proxies, and that is none.
 * hd_proxied_read - the PROXY header, as far as it is there; then the stream
 * begins.
 * hd_proxied_free - of a stream; it may have none. */
bool hd_proxied_may_come(struct hd_worker *w, const struct hd_listener *l,
			 const union hd_addr *from);
void hd_proxied_read(struct hd_stream *s);
void hd_proxied_free(struct hd_proxied **p);

/* hd_proxied_named - whose the connection is, whatever requests say.
 * hd_proxied_forwarded - a request is this client's. NULL: it names nobody. */
const union hd_addr *hd_proxied_named(const struct hd_stream *s);
void hd_proxied_forwarded(struct hd_stream *s, const union hd_addr *client);

/* hd_proxied_text - " via=10.0.0.1:4711" for lines of the log, or "". */
#define HD_VIA_TEXT_BYTES (HD_ADDR_TEXT_BYTES + 8)
const char *hd_proxied_text(const struct hd_stream *s,
			    char buf[HD_VIA_TEXT_BYTES]);
