/* SPDX-License-Identifier: MIT */
/* hyper-derp/http.h - one port, many routes. */
#pragma once
#include <hyper-derp/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { HD_GET = 1, HD_HEAD = 2, HD_POST = 4, HD_OPTIONS = 8 };
enum hd_websocket { HD_WS_NONE, HD_WS_BYTES };

struct hd_route { /* copied */
	const char *listener; /* NULL: every unnamed listener; else a name
				 from the `listen:` list, "metrics" */
	const char *path;     /* exact, without the query */
	unsigned methods;     /* others get 405; HD_GET brings HD_HEAD */
	/* answer - a plain request; must hd_reply() before it returns. */
	void (*answer)(struct hd_module *mod, struct hd_request *req);
	/* Upgrade: for `Upgrade: token` (case-insensitive; and for WebSocket
	 * one of the subprotocols) the connection becomes a stream of proto.
	 * upgrade - writes the 101, or nothing, with hd_stream_append(); the
	 * core has written WebSocket's. Returns 0, or after hd_reply() a
	 * negative errno to refuse: the connection closes (WebSocket cannot
	 * reply any more) and proto->closed() sees the zeroed state. */
	const char *token, *subprotocol;
	enum hd_websocket websocket;
	int (*upgrade)(struct hd_module *mod, struct hd_request *req,
		       struct hd_stream *s, void *state);
	const struct hd_proto *proto;
};

/* hd_route_add - in load(). A path may have one plain route and one per
 * token. Returns 0; -EEXIST taken, with the name of the owner; -ENOMEM. */
HD_API int hd_route_add(struct hd_module *mod, const struct hd_route *route,
			struct hd_error *err);

/* Borrowed until the answering call returns. NULL when absent. Names are
 * compared without case. */
HD_API const char *hd_request_header(struct hd_request *req, const char *name);
HD_API const char *hd_request_query(struct hd_request *req);
HD_API unsigned hd_request_method(const struct hd_request *req);
HD_API struct hd_worker *hd_request_worker(const struct hd_request *req);
HD_API const union hd_addr *hd_request_addr(const struct hd_request *req);

/* hd_reply_header - before hd_reply(); copied.
 * hd_reply - @type may be NULL without a body. A HEAD request gets the head
 * alone. The connection stays open for the next request if the client may. */
HD_API void hd_reply_header(struct hd_request *req, const char *name,
			    const char *value);
HD_API void hd_reply(struct hd_request *req, int status, const char *type,
		     const void *body, size_t len_bytes);

#ifdef __cplusplus
}
#endif
