/* SPDX-License-Identifier: MIT */
/* modules/wg/rows.h - what commands collect in the engine's worker, in
 * portions that fit between packets; the main thread makes an answer of it. */
#pragma once
#include "modules/wg/ops.h"
#include "modules/wg/xdp.h"

struct wg_peer_row {
	struct wg_peer_info info; /* its name points nowhere */
	char name[WG_NAME_BYTES];
};

struct wg_link_row {
	struct wg_link_info info;
	char a[WG_NAME_BYTES], b[WG_NAME_BYTES];
};

struct wg_rows { /* hd_call_data() of a call */
	union {
		void *v;
		struct wg_peer_row *peers;
		struct wg_link_row *links;
		struct wg_block_info *blocks;
		struct wg_source_info *sources;
	};
	size_t n, size;
	struct wg_totals totals;
	struct wg_relay_stats xdp;
	char xdp_text[128]; /* "" no fast path */
	struct wg_peer_row peer; /* `wg show NAME` */
	bool found; /* the one that was asked for */
	unsigned cleared;
};

/* wg_rows_of - those of the call; NULL: out of memory, answered.
 * wg_rows_free - in done(). */
struct wg_rows *wg_rows_of(struct hd_call *call);
void wg_rows_free(struct wg_rows *rows);
/* wg_name_refused - in done(), when nothing was found for the argument "name":
 * whether it was given and there is no such peer; then that is the answer. */
bool wg_name_refused(struct hd_call *call);

/* For each(). With the argument "name", only what concerns that peer. */
void wg_each_peer(struct hd_module *mod, struct hd_call *call,
		  struct hd_worker *w);
void wg_each_link(struct hd_module *mod, struct hd_call *call,
		  struct hd_worker *w);
void wg_each_block(struct hd_module *mod, struct hd_call *call,
		   struct hd_worker *w);
void wg_each_source(struct hd_module *mod, struct hd_call *call,
		    struct hd_worker *w);

/* wg_out_peer - the members of a row. cmd_peer.c */
void wg_out_peer(struct hd_call *call, const struct wg_peer_row *row);

/* Members of an answer: null where there is none. */
void wg_out_endpoint(struct hd_call *call, const char *name, bool has,
		     const union hd_addr *addr);
void wg_out_ago(struct hd_call *call, const char *name, uint64_t ago_ms);
