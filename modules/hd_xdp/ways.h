/* SPDX-License-Identifier: MIT */
/* modules/hd_xdp/ways.h - the ways that datagrams have gone of late, of one
 * worker: what the kernel has said of them is used for a second. Then one or
 * some go by the socket again, so that the kernel keeps on asking for the
 * neighbour and hears of smaller MTUs, and it is asked anew.
 *
 *         again, soon       answer              a second later, used
 *   SEEN -----------> ASKED ------> KNOWN ----------------> ASKED
 *    ^                  `---------> NONE ---.
 *    `--------------------------------------'  a second later
 *
 * Context: the worker. */
#pragma once
#include "modules/hd_xdp/lookup.h"

struct hxp_ways;

struct hxp_way { /* what a sender needs of one that is known */
	struct hxp_head head;
	uint32_t ifindex, mtu;
};

/* hxp_ways_new - @port  ours, in network order. Returns NULL: no memory. */
struct hxp_ways *hxp_ways_new(in_port_t port);
void hxp_ways_free(struct hxp_ways **ways);

/* hxp_ways_find - the way, if it is known now; else NULL, and the kernel is
 * asked for it if it is used often enough. */
const struct hxp_way *hxp_ways_find(struct hxp_ways *ways,
				    const struct hxp_pair *pair,
				    uint64_t now_ms);
/* hxp_ways_ask - what is to be asked is, by a helper thread. */
void hxp_ways_ask(struct hxp_ways *ways, struct hd_module *mod,
		  struct hd_worker *w);
/* hxp_ways_answer - one answer. @route  NULL: there is no way
 * hxp_ways_known - how many are known. */
void hxp_ways_answer(struct hxp_ways *ways, const struct hxp_pair *pair,
		     const struct hxp_route *route, uint64_t now_ms);
size_t hxp_ways_known(const struct hxp_ways *ways, uint64_t now_ms);
