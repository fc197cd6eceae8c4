/* SPDX-License-Identifier: MIT */
/* hyper-derp/http.h - one port, many routes. */
#pragma once
#include <hyper-derp/stream.h>
#include <hyper-derp/websocket.h>

#ifdef __cplusplus
extern "C" {
#endif

enum hd_http_method { /* bits of hd_route.methods */
	HD_HTTP_GET = 1,
	HD_HTTP_HEAD = 2,
	HD_HTTP_POST = 4,
	HD_HTTP_OPTIONS = 8
};
/* hd_ws_mode - what of a route is spoken over WebSocket. */
enum hd_ws_mode {
	HD_WS_MODE_NONE,
	HD_WS_MODE_BYTES, /* a stream as any other: data(),
			       hd_stream_append(). Borders of messages mean
			       nothing; text is refused */
	HD_WS_MODE_MESSAGES /* message(), hd_ws_send(): websocket.h */
};

/* hd_pages - bits of hd_route.pages: what an operator may open a listener for
 * alone, by `only:` in its entry of `listen`. */
enum hd_pages {
	HD_PAGES_CAPTIVE_PORTAL = 1, /* checks for captive portals */
	HD_PAGES_ACME = 2	     /* challenges: RFC 8555, 8.3 */
};

struct hd_route { /* copied */
	const char *listener; /* NULL: every listener that no module has for
				 itself; else a name, "metrics": from now on
				 listeners of this name serve such routes
				 only */
	const char *path;     /* exact, without the query */
	bool below; /* and all that begins with it: path ends in '/'. A route
		       that names the whole path comes first */
	unsigned methods; /* others get 405; HD_HTTP_GET brings HD_HTTP_HEAD */
	unsigned pages; /* of a plain route: listeners that are for some pages
			   only have it if they are for one of these */
	/* answer - a plain request; must hd_reply() or hd_reply_body()
	 * before it returns. */
	void (*answer)(struct hd_module *mod, struct hd_request *req);
	/* Upgrade: for `Upgrade: token` (case-insensitive) the connection
	 * becomes a stream of proto.
	 * upgrade - writes the 101, or nothing, with hd_stream_append(); the
	 * core has written WebSocket's. Returns 0, or after hd_reply() a
	 * negative errno to refuse: the connection closes (WebSocket cannot
	 * reply any more) and proto->closed() sees the zeroed state. */
	const char *token;
	int (*upgrade)(struct hd_module *mod, struct hd_request *req,
		       struct hd_stream *s, void *state);
	const struct hd_proto *proto;
	/* WebSocket: token is "websocket".
	 * accept - before the 101, may be NULL: looks at Origin, a cookie, a
	 * token. Returns 0, or after hd_reply() a negative errno to refuse.
	 * subprotocols - NULL at the end, or NULL: none. The first of them that
	 * the client offers is chosen (RFC 6455, 4.2.2; compared as they are);
	 * hd_ws_subprotocol() tells which.
	 * subprotocol_needed - who offers none of them is not upgraded: the
	 * path's plain route answers. */
	enum hd_ws_mode websocket;
	int (*accept)(struct hd_module *mod, struct hd_request *req);
	const char *const *subprotocols;
	bool subprotocol_needed;
	/* With HD_WS_MODE_MESSAGES; 0: the default.
	 * message_max_bytes - of a client's messages; who sends a larger one is
	 * closed with 1009. 64 KiB; at most HD_WS_MESSAGE_MAX_BYTES.
	 * message_timeout_ms - for the rest of a message that has begun. 10 s.
	 * ping_ms - a Ping each time; who does not answer it until the next is
	 * closed (HD_CLOSE_TIMEOUT). Proxies close what is silent, often after
	 * 60 s, and scripts in browsers cannot send Pings. 0: none. */
	uint32_t message_max_bytes, message_timeout_ms, ping_ms;
	/* rest - with path NULL: every request for a path that no route of the
	 * listener has, whatever its method, length or body. The connection
	 * becomes a stream of proto: opened() is called, then data() with all
	 * from the request's first byte on, as it was received. What the client
	 * asks later on it is proto's, too, also for paths that have routes.
	 * One of a listener. Needs proto; may have wants.
	 * wants - whether a request is its: one that no route has (not served;
	 * false is 404 then), or one whose path has a plain route, and none
	 * with a token (served). NULL: all of the former. Of a head that is too
	 * large for the relay only hd_request_path() is known. */
	bool rest;
	bool (*wants)(struct hd_module *mod, struct hd_request *req,
		      bool served);
};

/* hd_route_add - in load(). A path may have one plain route and one per
 * token. Returns 0; -EEXIST taken, with the name of the owner; -ENOMEM. */
HD_API int hd_route_add(struct hd_module *mod, const struct hd_route *route,
			struct hd_error *err);

/* hd_request_header, hd_request_path, hd_request_query, hd_request_addr -
 * borrowed until the answering call returns. NULL when absent; the path never
 * is, and has no query. Names are
 * compared without case. */
HD_API const char *hd_request_header(struct hd_request *req, const char *name);
HD_API const char *hd_request_path(const struct hd_request *req);
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

/* A body that is made after answer() has returned: because it takes long, or
 * is of all workers, or is large. The core calls what there is, in this order,
 * and sends what each call has put before it makes the next one:
 *   task   once, in a helper thread: may block
 *   each   in every worker in turn; as long as *hd_answer_cursor() is not 0
 *          then, again in the same worker's next turn
 *   last   once, in the client's worker
 * A client that reads slowly is waited for, within the write timeout, and
 * costs the memory of one call's text. When it goes, or the module is unloaded
 * or reloaded, the rest is not called and the answer ends without an end. */
struct hd_answer;
struct hd_body {
	void (*task)(struct hd_module *mod, struct hd_answer *a);
	void (*each)(struct hd_module *mod, struct hd_answer *a,
		     struct hd_worker *w);
	void (*last)(struct hd_module *mod, struct hd_answer *a);
};

/* hd_reply_body - instead of hd_reply().
 * @body       must live as long as the module
 * @data_size  of memory for the calls, hd_answer_data(): zeroed, and plain
 * Returns the answer, for its data and to put the beginning of the body while
 * answer() runs; NULL: nothing is to be made (HEAD), or there is no room, and
 * the client has been told. */
HD_API struct hd_answer *hd_reply_body(struct hd_request *req, int status,
				       const char *type,
				       const struct hd_body *body,
				       size_t data_size);
HD_API void *hd_answer_data(struct hd_answer *a);
HD_API uint64_t *hd_answer_cursor(struct hd_answer *a);
/* hd_answer_put - copied. hd_answer_fail - what was put is no whole body: the
 * client gets no end; so it is when memory runs out. */
HD_API void hd_answer_fail(struct hd_answer *a);
HD_API void hd_answer_put(struct hd_answer *a, const void *data,
			  size_t len_bytes);

#ifdef __cplusplus
}
#endif
