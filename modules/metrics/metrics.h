/* SPDX-License-Identifier: MIT */
/* modules/metrics/metrics.h - what the parts of the module share.
 *
 * Files: metrics.c options, listener and routes; gather.c what is shown, with
 * process.c and derper.c; page.c and text.c the formats; health.c, relay.c,
 * peers.c and workers.c the other pages; host.c who may ask for them.
 *
 * To add a page: a row in metrics_routes[] of metrics.c. All routes have the
 * listener's name METRICS_LISTENER, so they are served by the listener that
 * the module opens and by any of that name in the `listen:` list. */
#pragma once
#include <hyper-derp/http.h>
#include <hyper-derp/metric.h>
#include <hyper-derp/module.h>
#include "modules/metrics/page.h"

#define METRICS_LISTENER "metrics"

enum metrics_compat { METRICS_COMPAT_NONE, METRICS_COMPAT_DERPER };

struct metrics_conf {
	uint64_t port; /* of 127.0.0.1; 0: no listener of our own */
	union hd_addr addr; /* instead; AF_UNSPEC: not set */
	const char *tls_cert, *tls_key; /* NULL: plain HTTP */
	uint64_t compat; /* enum metrics_compat */
	struct hd_list hosts; /* beside those that are known */
	bool debug_endpoints, status_page;
};

/* metrics_gather - everything that is to be seen. */
void metrics_gather(struct metrics_page *p, enum metrics_compat compat);
void metrics_put_process(struct metrics_page *p, uint64_t started_s);
void metrics_put_derper(struct metrics_page *p);

/* Pages */
void metrics_answer_health(struct hd_module *mod, struct hd_request *req);
void metrics_answer_relay(struct hd_module *mod, struct hd_request *req);
void metrics_answer_peers(struct hd_module *mod, struct hd_request *req);
void metrics_answer_debug_peers(struct hd_module *mod, struct hd_request *req);
void metrics_answer_debug_workers(struct hd_module *mod,
				  struct hd_request *req);
/* metrics_may_ask - or the client has been told why not.
 * metrics_may_debug - or the client has been told how. */
bool metrics_may_ask(struct hd_module *mod, struct hd_request *req);
bool metrics_may_debug(struct hd_module *mod, struct hd_request *req);
/* metrics_reply - a text that was made; frees it. */
void metrics_reply(struct hd_request *req, int status, const char *type,
		   struct metrics_text *t);
