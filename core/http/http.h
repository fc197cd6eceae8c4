/* SPDX-License-Identifier: MIT */
/* core/http/http.h - the front door: a protocol like any other, spoken on each
 * accepted stream until a route takes it over.
 *
 * Files: http_parse.c the request head, http.c which route and how,
 * http_upgrade.c the way to another protocol, http_head.c what of it is kept
 * for the login, http_rest.c what no route has,
 * http_reply.c what goes back,
 * http_answer.c bodies that are made later, route.c the registry. */
#pragma once
#include <hyper-derp/http.h>
#include "core/base/entries.h"
#include "core/base/kind.h"

#define HD_HTTP_HEAD_MAX_BYTES 8192
#define HD_HTTP_HEADERS_MAX 64
#define HD_HTTP_METHOD_MAX_BYTES 32
#define HD_HTTP_REPLY_MAX_BYTES 4096 /* of a reply's head */

/* A parsed request head. Strings point into the head, which is changed: each
 * value is terminated and stripped in place. */
struct hd_http_head {
	const char *method, *path, *query; /* query: behind '?', or NULL */
	unsigned minor; /* HTTP/1.minor */
	unsigned n;
	struct hd_http_header {
		const char *name, *value;
	} headers[HD_HTTP_HEADERS_MAX];
};

/* hd_http_parse - one request head, of which n bytes are there so far. Nothing
 * is changed until it is complete. Stricter than most servers, because a proxy
 * in front may read the same bytes in another way: lines end in CR LF, no
 * folded lines, no space before the colon, no control characters.
 * Returns the bytes of the head; 0: not complete yet; -EBADMSG: not HTTP;
 * -E2BIG: longer than HD_HTTP_HEAD_MAX_BYTES or too many headers;
 * -EPROTONOSUPPORT: HTTP, but neither 1.0 nor 1.1. */
int hd_http_parse(char *p, size_t n, struct hd_http_head *ret_head);

/* hd_http_header - the first value of a name, or NULL.
 * hd_http_lists - whether a comma-separated header, which may be spread over
 * several lines, has the word; neither cares about case.
 * hd_http_lists_exactly - this one does. */
const char *hd_http_header(const struct hd_http_head *head, const char *name);
bool hd_http_lists(const struct hd_http_head *head, const char *name,
		   const char *word);
bool hd_http_lists_exactly(const struct hd_http_head *head, const char *name,
			   const char *word);

struct hd_request { /* lives on the stack of data() */
	struct hd_http_head head;
	struct hd_stream *stream;
	struct hd_module *mod; /* of the route that answers */
	enum hd_close why; /* if it is closed behind this request */
	unsigned method; /* HD_HTTP_GET …; 0: another one */
	bool keep; /* the connection stays open for the next request */
	bool replied;
	bool http10; /* nothing sure is known of the client */
	bool later; /* the body is under way: core/http/http_answer.c */
	size_t extra_len;
	char extra[HD_HTTP_REPLY_MAX_BYTES / 2]; /* of hd_reply_header() */
};

/* hd_reply_begin - the head; @len_bytes of the body, or HD_LENGTH_LATER.
 * Returns whether the stream took it. */
#define HD_LENGTH_LATER SIZE_MAX
bool hd_reply_begin(struct hd_request *req, int status, const char *type,
		    size_t len_bytes);
/* hd_reply_large - the head has gone; the body follows as the client reads. */
void hd_reply_large(struct hd_request *req, const void *body, size_t len_bytes);

/* ---- http_upgrade.c ---- */

/* hd_upgrade_find - of a path's routes the one that the request wants to
 * upgrade to; NULL: it is a plain request.
 * hd_upgrade - returns whether the stream has its new protocol; else it
 * closes, and was told why. */
const struct hd_route_entry *
hd_upgrade_find(const struct hd_request *req,
		const struct hd_route_entry *first);
bool hd_upgrade(struct hd_request *req, const struct hd_route_entry *entry);

/* ---- http_head.c ---- */

/* hd_http_keep_head - for the login, if the protocol has peers and a module is
 * asked who may log in. */
void hd_http_keep_head(const struct hd_request *req,
		       const struct hd_proto *proto);

/* ---- http_rest.c ---- */

/* What a request was before it was parsed: the rest gets it as it came. */
struct hd_rest {
	const struct hd_route_entry *entry; /* NULL: no route wants the rest */
	size_t len;
	uint8_t raw[HD_HTTP_HEAD_MAX_BYTES + 2]; /* an empty line before it */
};

/* hd_rest_note - before it is parsed; p has n bytes.
 * hd_rest_wants - whether no other route has it.
 * hd_rest_wants_large - the same of one whose head is too large for us.
 * hd_rest_take - p is what it was, and the connection belongs to the rest. */
void hd_rest_note(struct hd_rest *rest, const struct hd_stream *s,
		  const uint8_t *p, size_t n);
bool hd_rest_wants(const struct hd_rest *rest, struct hd_request *req);
bool hd_rest_wants_large(const struct hd_rest *rest, struct hd_stream *s);
void hd_rest_take(const struct hd_rest *rest, struct hd_stream *s, uint8_t *p);

/* ---- http_answer.c ---- */

/* Those of a module are cancelled before its code goes. */
extern const struct hd_kind hd_answer_kind;

/* hd_reply_text - an answer in a sentence, for people. */
void hd_reply_text(struct hd_request *req, int status, const char *text);

/* The protocol of a fresh stream: parses, answers, upgrades by calling
 * hd_stream_switch(). It keeps no state between requests. */
extern const struct hd_proto hd_http_proto;

/* A registered route and its owner; found by (listener, path, token). */
struct hd_route_entry {
	struct hd_entry_link link;
	struct hd_route route;
};
/* hd_routes_after - of all of them the one behind an entry, NULL: the first. */
const struct hd_route_entry *
hd_routes_after(const struct hd_route_entry *entry);
/* hd_route_find - the first route of a path; hd_route_next - the others.
 * Any thread, within a turn of its worker. */
const struct hd_route_entry *hd_route_find(const char *listener,
					   const char *path);
const struct hd_route_entry *hd_route_next(const struct hd_route_entry *entry);
/* hd_route_rest - that of a listener; NULL: it has none. */
const struct hd_route_entry *hd_route_rest(const char *listener);
/* hd_route_answer, hd_route_upgrade - call it; an upgrade without a function
 * is 0; so is hd_route_accept(). In the stream's worker. */
void hd_route_answer(const struct hd_route_entry *entry,
		     struct hd_request *req);
int hd_route_accept(const struct hd_route_entry *entry,
		    struct hd_request *req);
int hd_route_upgrade(const struct hd_route_entry *entry,
		     struct hd_request *req, void *state);
/* hd_routes_each - those of a module, also before they are published. */
void hd_routes_each(const struct hd_module *mod,
		    void (*fn)(void *arg, const struct hd_route *route),
		    void *arg);
/* Drafts are found after publish. Main thread. */
extern const struct hd_kind hd_route_kind;
