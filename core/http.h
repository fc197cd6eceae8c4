/* SPDX-License-Identifier: MIT */
/* core/http.h - the front door: a protocol like any other, spoken on each
 * accepted stream until a route takes it over. */
#pragma once
#include <hyper-derp/http.h>
#include "core/module.h"

#define HD_HTTP_HEAD_MAX_BYTES 8192
#define HD_HTTP_HEADERS_MAX 64

/* A parsed request head. Strings point into the head, which is changed: each
 * value is terminated and stripped in place. */
struct hd_http_head {
	const char *method, *path, *query; /* query: behind '?', or NULL */
	unsigned minor;                    /* HTTP/1.minor */
	unsigned n;
	struct hd_http_header {
		const char *name, *value;
	} headers[HD_HTTP_HEADERS_MAX];
};

/* hd_http_parse - one request head.
 * Returns the bytes of the head; 0: not complete yet; -EBADMSG: not HTTP;
 * -E2BIG: longer than HD_HTTP_HEAD_MAX_BYTES or too many headers. */
int hd_http_parse(char *p, size_t n, struct hd_http_head *ret_head);

/* The protocol of a fresh stream: parses, answers, upgrades by calling
 * hd_stream_switch(). */
extern const struct hd_proto hd_http_proto;

/* A registered route and its owner; found by (listener, path, token). */
struct hd_route_entry {
	struct hd_route route;
	struct hd_module *mod;
	struct hd_route_entry *next;
};
const struct hd_route_entry *hd_route_find(const char *listener,
					   const char *path);
void hd_routes_free(struct hd_module *mod); /* those it owns; NULL: all */
