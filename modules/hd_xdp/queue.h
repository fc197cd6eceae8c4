/* SPDX-License-Identifier: MIT */
/* modules/hd_xdp/queue.h - an AF_XDP socket and its memory: for queue*.c. The
 * first frames of the area are for what comes, the rest for what leaves. */
#pragma once
#include <xdp/xsk.h>
#include "modules/hd_xdp/hd_xdp.h"

enum {
	HXP_FRAME_BYTES = 2048,
	HXP_RING = 2048, /* frames that come; and as many that leave */
	/* The kernel shows what has come before it says which places of this
	 * ring are free again: what is given back meanwhile has room, too. */
	HXP_FILL = 2 * HXP_RING,
	HXP_AREA_BYTES = 2 * HXP_RING * HXP_FRAME_BYTES,
};

struct hxp_queue {
	struct hxp_port *port;
	unsigned index;
	bool zero_copy;
	uint8_t *area;
	struct xsk_umem *umem;
	struct xsk_socket *xsk;
	struct xsk_ring_prod fill, tx;
	struct xsk_ring_cons done, rx;
	/* the worker's */
	struct hxp_queue *next; /* that it has */
	struct hd_carrier *carrier; /* NULL: it has none yet */
	struct hd_module *mod;
	struct hd_worker *worker;
	struct hxp_ways *ways;
	struct hxp_numbers *numbers;
	unsigned unsubmitted; /* in tx, not shown to the kernel */
	unsigned n_free; /* frames to send in */
	uint64_t free[HXP_RING];
};

/* hxp_queue_give_frames - of a new one: half of them to the kernel. */
void hxp_queue_give_frames(struct hxp_queue *q);
/* hxp_queue_hide - the program gives it nothing any more. */
void hxp_queue_hide(const struct hxp_queue *q);
