/* SPDX-License-Identifier: MIT */
/* bpf/parse.h - from the start of a frame to the UDP payload.
 *
 * A cursor; every step checks its bounds, moves on and returns what comes
 * next, or -1: not for us, the kernel may have it. What is not plain (IPv4
 * options, fragments, IPv6 extension headers, a third tag) ends with -1. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "bpf/wg_relay.h"

enum {
	HD_VLAN_TAGS = 2,
	HD_VID_MASK = 0x0fff,
	HD_TAG = 0x1000, /* marks a tag in wg_relay_egress.tags */
	HD_IP4_FRAGMENT = 0x3fff, /* offset, or more to come */
};

struct hd_vlan {
	__be16 tci;
	__be16 proto;
};

struct hd_frame {
	void *pos, *end;
	struct ethhdr *eth;
	struct iphdr *ip4; /* one of these two */
	struct ipv6hdr *ip6;
	struct udphdr *udp;
	struct wg_relay_addr from, to;
	__u32 tags; /* as in wg_relay_egress */
	__u32 ip_len_bytes; /* headers too */
	__u32 left_bytes; /* of the frame, from the IP header on */
	__u8 ttl;
};

#define HD_TAKE(f, ptr)                                                        \
	({                                                                     \
		(ptr) = (f)->pos;                                              \
		(f)->pos = (ptr) + 1;                                          \
		(f)->pos <= (f)->end;                                          \
	})

/* Returns the type of what the frame holds. */
static __always_inline int hd_parse_eth(struct hd_frame *f)
{
	struct hd_vlan *vlan;
	__be16 proto;

	if (!HD_TAKE(f, f->eth))
		return -1;
	proto = f->eth->h_proto;
#pragma unroll
	for (int i = 0; i < HD_VLAN_TAGS; i++) {
		if (proto != bpf_htons(ETH_P_8021Q) &&
		    proto != bpf_htons(ETH_P_8021AD))
			break;
		if (!HD_TAKE(f, vlan))
			return -1;
		/* VID 0 carries a priority, not a network */
		__u32 vid = bpf_ntohs(vlan->tci) & HD_VID_MASK;
		if (vid != 0)
			f->tags = f->tags << 16 | HD_TAG | vid;
		proto = vlan->proto;
	}
	return proto;
}

/* An IPv4 address takes the form that IPv6 has for it. */
static __always_inline void hd_addr4(struct wg_relay_addr *to, __be32 addr)
{
	to->w[0] = 0;
	to->w[1] = 0;
	to->w[2] = bpf_htonl(0xffff);
	to->w[3] = addr;
}

static __always_inline int hd_parse_ip4(struct hd_frame *f)
{
	f->left_bytes = f->end - f->pos;
	if (!HD_TAKE(f, f->ip4) || f->ip4->version != 4 || f->ip4->ihl != 5 ||
	    (f->ip4->frag_off & bpf_htons(HD_IP4_FRAGMENT)) != 0)
		return -1;
	f->ip_len_bytes = bpf_ntohs(f->ip4->tot_len);
	f->ttl = f->ip4->ttl;
	hd_addr4(&f->from, f->ip4->saddr);
	hd_addr4(&f->to, f->ip4->daddr);
	return f->ip4->protocol;
}

static __always_inline int hd_parse_ip6(struct hd_frame *f)
{
	f->left_bytes = f->end - f->pos;
	if (!HD_TAKE(f, f->ip6) || f->ip6->version != 6)
		return -1;
	f->ip_len_bytes = sizeof(*f->ip6) + bpf_ntohs(f->ip6->payload_len);
	f->ttl = f->ip6->hop_limit;
	__builtin_memcpy(&f->from, &f->ip6->saddr, sizeof(f->from));
	__builtin_memcpy(&f->to, &f->ip6->daddr, sizeof(f->to));
	return f->ip6->nexthdr;
}

/* Returns 0 with everything up to the UDP header known, pos behind it. */
static __always_inline int hd_parse_udp(struct xdp_md *ctx, struct hd_frame *f)
{
	int proto;

	f->pos = (void *)(long)ctx->data;
	f->end = (void *)(long)ctx->data_end;
	proto = hd_parse_eth(f);
	if (proto == bpf_htons(ETH_P_IP))
		proto = hd_parse_ip4(f);
	else if (proto == bpf_htons(ETH_P_IPV6))
		proto = hd_parse_ip6(f);
	else
		return -1;
	return proto == IPPROTO_UDP && HD_TAKE(f, f->udp) ? 0 : -1;
}

static __always_inline bool hd_addr_same(const struct wg_relay_addr *a,
					 const struct wg_relay_addr *b)
{
	return ((a->w[0] ^ b->w[0]) | (a->w[1] ^ b->w[1]) |
		(a->w[2] ^ b->w[2]) | (a->w[3] ^ b->w[3])) == 0;
}
