/* SPDX-License-Identifier: MIT */
/* modules/hd_xdp/frame.h - UDP datagrams in Ethernet frames. Any thread. */
#pragma once
#include <hyper-derp/datagram.h>

/* hxp_frame_get - the datagram in the n bytes of a frame: IPv4 without options,
 * not a fragment, or IPv6 without extension headers; no tags; nothing behind
 * it. Sums are not looked at. ret->data points into it, ret->to has no port.
 * Returns whether it is one. */
bool hxp_frame_get(uint8_t *p, size_t n, struct hd_datagram *ret);

enum { HXP_HEAD_MAX_BYTES = 14 + 40 + 8, HXP_MAC_BYTES = 6 };

/* All in front of a datagram that is the same for each of a way; its lengths
 * and sums are 0. */
struct hxp_head {
	uint8_t v[HXP_HEAD_MAX_BYTES];
	uint8_t n;
	uint32_t ip_sum, udp_sum; /* over what does not change */
};

/* Where a datagram goes: what it is sent to, and from which of our addresses.
 * IPv4 as ::ffff:a.b.c.d. No padding: it is compared as bytes. */
struct hxp_pair {
	uint8_t to[16], from[16];
	in_port_t to_port;
	sa_family_t family;
};

/* hxp_pair_of - @from  its port does not count
 * Returns whether frames can be made for it: both are of one family, and none
 * needs an interface beside it. */
bool hxp_pair_of(const union hd_addr *to, const union hd_addr *from,
		 struct hxp_pair *ret);

/* hxp_head_make - @macs  of the next hop, and ours */
void hxp_head_make(struct hxp_head *h, const struct hxp_pair *pair,
		   in_port_t from_port, const uint8_t next[HXP_MAC_BYTES],
		   const uint8_t ours[HXP_MAC_BYTES]);
/* hxp_frame_put - head, datagram and sums.
 * @len_bytes  with the head, no more than an MTU
 * Returns the bytes of the frame. */
size_t hxp_frame_put(uint8_t *frame, const struct hxp_head *h,
		     const uint8_t *data, size_t len_bytes);
