/* SPDX-License-Identifier: MIT */
/* bpf/hd_udp.h - what the XDP program and modules/hd_xdp share. Fixed widths,
 * no padding, UAPI headers only. */
#pragma once
#include <linux/types.h>

enum {
	HD_UDP_LOCALS = 1024, /* addresses of this host */
	HD_UDP_QUEUES = 256, /* of one interface */
	/* What goes to an AF_XDP socket: a frame of ours without tags. Longer
	 * ones cannot be HD's. */
	HD_UDP_FRAME_MAX_BYTES = 1536,
};

struct hd_udp_stats { /* of one CPU; datagrams to the relay's port */
	__u64 taken; /* given to an AF_XDP socket, which may be full */
	__u64 passed_lapsed; /* to no address of ours, or the relay is silent */
	__u64 passed_odd; /* lengths, tags, addresses, not HD's first byte */
};
_Static_assert(sizeof(struct hd_udp_stats) == 3 * 8, "no padding");
