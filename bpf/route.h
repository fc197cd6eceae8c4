/* SPDX-License-Identifier: MIT */
/* bpf/route.h - the way out: the kernel's route and neighbour, asked for once a
 * tick.
 *
 * bpf_fib_lookup() costs as much as the rest of the program, over IPv6 twice
 * that, and a peer's packets come many in a row. What it answered is used again
 * by this CPU until the coarse clock moves (1 to 10 ms, by the kernel's HZ): a
 * route that changes counts no later than a clock that is read. Only success is
 * kept; what must go up is asked for each time. One program at a time runs on a
 * CPU here: receiving is not interrupted by receiving. (With PREEMPT_RT it may
 * be; then at_ns, which is 0 while an entry changes, keeps others away.) */
#pragma once
#include "bpf/parse.h"

enum {
	HD_ROUTES = 64, /* of a CPU; a power of 2 */
	HD_AF_INET = 2,
	HD_AF_INET6 = 10,
};

struct hd_route {
	__u64 at_ns; /* the coarse clock's; 0: none */
	struct wg_relay_addr from, to;
	__u32 ifindex; /* as the route names it */
	__be16 to_port; /* of several ways the ports choose one */
	__u16 mtu; /* of the IP packet */
	__u8 dmac[ETH_ALEN], smac[ETH_ALEN];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HD_ROUTES);
	__type(key, __u32);
	__type(value, struct hd_route);
} wg_routes SEC(".maps");

static __always_inline struct hd_route *
hd_route_slot(const struct wg_relay_path *p)
{
	__u32 h = p->to.w[0] ^ p->to.w[1] ^ p->to.w[2] ^ p->to.w[3] ^
		  p->to_port;

	h ^= h >> 16;
	h = (h ^ h >> 8) % HD_ROUTES;
	return bpf_map_lookup_elem(&wg_routes, &h);
}

static __always_inline bool hd_route_fresh(const struct hd_route *r,
					   const struct wg_relay_path *p,
					   __u32 len_bytes, __u64 now_ns)
{
	return r->at_ns == now_ns && r->to_port == p->to_port &&
	       hd_addr_same(&r->to, &p->to) &&
	       hd_addr_same(&r->from, &p->from) && len_bytes <= r->mtu;
}

/* fib is zeroed but for its ifindex and sport, which are the caller's.
 * Returns one of BPF_FIB_LKUP_RET_*. */
static __always_inline int hd_route_ask(struct xdp_md *ctx,
					const struct hd_frame *f,
					const struct wg_relay_path *p,
					struct bpf_fib_lookup *fib)
{
	fib->l4_protocol = IPPROTO_UDP;
	fib->dport = p->to_port;
	fib->tot_len = f->ip_len_bytes;
	if (f->ip4) {
		fib->family = HD_AF_INET;
		fib->ipv4_src = p->from.w[3];
		fib->ipv4_dst = p->to.w[3];
	} else {
		fib->family = HD_AF_INET6;
		__builtin_memcpy(fib->ipv6_src, &p->from, sizeof(p->from));
		__builtin_memcpy(fib->ipv6_dst, &p->to, sizeof(p->to));
	}
	return bpf_fib_lookup(ctx, fib, sizeof(*fib), 0);
}

static __always_inline void hd_route_keep(struct hd_route *r,
					  const struct wg_relay_path *p,
					  const struct bpf_fib_lookup *fib,
					  __u64 now_ns)
{
	volatile __u64 *at_ns = &r->at_ns;

	*at_ns = 0;
	r->from = p->from;
	r->to = p->to;
	r->ifindex = fib->ifindex;
	r->to_port = p->to_port;
	r->mtu = fib->mtu_result;
	__builtin_memcpy(r->dmac, fib->dmac, ETH_ALEN);
	__builtin_memcpy(r->smac, fib->smac, ETH_ALEN);
	*at_ns = now_ns;
}
