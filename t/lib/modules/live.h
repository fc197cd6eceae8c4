/* SPDX-License-Identifier: MIT */
/* t/lib/modules/live.h - files of the module live beside live.c. */
#pragma once
#include <hyper-derp/datagram.h>
#include <hyper-derp/http.h>
#include <hyper-derp/metric.h>

struct live_conf {
	union hd_addr udp;
	const char *word;
};

struct live_worker {
	struct hd_udp *udp;
	struct hd_timer *timer;
	uint64_t starts, ticks, packets, datagrams;
	const void *seed; /* MODE=ptr */
};

const char *live_build_text(char text[static 16]);

/* ---- live_udp.c ---- */

int live_udp_open(struct hd_module *mod, struct hd_worker *w,
		  struct hd_error *err);

/* ---- live_links.c: metrics whose label values come at run time ---- */

int live_links_add(struct hd_module *mod, struct hd_error *err);
struct hd_series live_link_open(const char *name);
void live_link_count(struct hd_worker *w, struct hd_series series, uint64_t n);
/* /live/link?+NAME begins a link that nobody holds, /live/link?-NAME ends it.
 * Names have something to escape. */
void live_link_answer(struct hd_module *mod, struct hd_request *req);
