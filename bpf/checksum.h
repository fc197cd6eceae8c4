/* SPDX-License-Identifier: MIT */
/* bpf/checksum.h - the Internet checksum (RFC 1071), kept right while a header
 * changes (RFC 1624): a packet that came damaged leaves damaged, and its
 * receiver notices. Sums are 64 bits wide and folded once, at the end. */
#pragma once
#include "bpf/wg_relay.h"

static __always_inline __u16 hd_sum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* An IPv4 address sums up to the same in either form: 0xffff is 0 here. */
static __always_inline __u64 hd_sum_addr(const struct wg_relay_addr *a)
{
	return (__u64)a->w[0] + a->w[1] + a->w[2] + a->w[3];
}

/* The checksum after words that summed up to `was` became `is`. */
static __always_inline __u16 hd_sum_update(__u16 check, __u64 was, __u64 is)
{
	return ~hd_sum_fold((__u64)(__u16)~check + (__u16)~hd_sum_fold(was) +
			    is);
}
