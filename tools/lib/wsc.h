/* SPDX-License-Identifier: MIT */
/* tools/lib/wsc.h - a WebSocket client that carries a byte stream, as DERP in
 * a browser does: binary messages, whose borders mean nothing. */
#pragma once
#include "tools/lib/httpc.h"
#include "tools/lib/link.h"

struct wsc;

/* wsc_open - upgrade the connection.
 * @c         borrowed; must outlive the WebSocket
 * @ret_head  the relay's answer, also on failure once there is one
 * Returns 0; -EPROTONOSUPPORT refused, see the head; -EBADMSG. */
int wsc_open(struct conn *c, const char *host, const char *path,
	     const char *subprotocol, struct httpc_head *ret_head,
	     struct wsc **ret_ws, struct hd_error *err);
void wsc_free(struct wsc **ws);

struct link_io wsc_io(struct wsc *ws);
