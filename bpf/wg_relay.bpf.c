/* SPDX-License-Identifier: MIT */
/* bpf/wg_relay.bpf.c - WireGuard's transport data, relayed in the driver.
 *
 *   frame -> UDP for the relay's port -> transport data of a session that user
 *   space has confirmed -> new addresses -> out, on the same interface
 *   (XDP_TX) or on another one of the relay (a redirect)
 *
 * Everything else goes up to user space, which does it right and slower:
 * handshakes, unknown sessions, fragments, options, a next hop without a
 * neighbour entry, a datagram larger than the way out. Dropped is only what
 * user space would drop without a second look.
 *
 * A packet leaves as one of ours, as from user space: TTL afresh, so that what
 * a handshake reaches data reaches too. (Relays cannot be chained in a circle:
 * a session is confirmed by an answer of its other end.) DSCP, ECN and the
 * VLAN tags stay.
 *
 * The relay renews a lease; a program that outlived it passes everything. */
#include "bpf/parse.h"
#include "bpf/checksum.h"
#include "bpf/route.h"

enum {
	WG_INITIATION = 1,
	WG_TRANSPORT = 4, /* the whole first word: 3 reserved bytes follow */
	WG_INITIATION_BYTES = 148,
	WG_RESPONSE_BYTES = 92,
	WG_COOKIE_BYTES = 64,
	WG_TRANSPORT_MIN_BYTES = 32,
};

struct wg_message {
	__le32 type;
	__le32 index; /* the receiver's, in types 3 and 4 */
	__le64 counter; /* in type 4 */
};

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define WG_LE32(x) __builtin_bswap32(x)
#define WG_LE64(x) __builtin_bswap64(x)
#else
#define WG_LE32(x) (x)
#define WG_LE64(x) (x)
#endif

/* Set before loading. */
const volatile __be16 relay_port;
const volatile __u8 relay_ttl = 64;
/* Routes are looked up as for a packet that this host sends: from lo. */
const volatile __u32 fib_ifindex = 1;

/* Set while running. */
volatile __u64 lease_ns; /* CLOCK_MONOTONIC */
volatile __u32 block_count; /* entries in wg_blocklist: none costs nothing */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC); /* only user space inserts */
	__uint(max_entries, 1); /* set before loading */
	__type(key, struct wg_relay_key);
	__type(value, struct wg_relay_path);
} wg_paths SEC(".maps");

struct { /* an address that confirmed sessions come to is surely ours */
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WG_RELAY_LOCALS);
	__type(key, struct wg_relay_addr);
	__type(value, __u32); /* sessions */
} wg_locals SEC(".maps");

struct { /* until when, CLOCK_MONOTONIC; of IPv6 the /64 */
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WG_RELAY_BLOCKS);
	__type(key, struct wg_relay_addr);
	__type(value, __u64);
} wg_blocklist SEC(".maps");

struct { /* by the interface that a route names */
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WG_RELAY_PORTS);
	__type(key, __u32);
	__type(value, struct wg_relay_egress);
} wg_egress SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, WG_RELAY_PORTS);
	__type(key, __u32);
	__type(value, __u32);
} wg_devmap SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wg_relay_stats);
} wg_xdp_stats SEC(".maps");

static __always_inline int pass(__u64 *counter)
{
	(*counter)++;
	return XDP_PASS;
}

/* A router sees datagrams for the same port of other machines, too. */
static __always_inline bool to_us(const struct hd_frame *f)
{
	return bpf_map_lookup_elem(&wg_locals, &f->to) != NULL;
}

static __always_inline bool blocked(const struct hd_frame *f, __u64 now_ns)
{
	struct wg_relay_addr from = f->from;

	if (block_count == 0)
		return false;
	if (!f->ip4)
		from.w[2] = from.w[3] = 0;
	__u64 *until_ns = bpf_map_lookup_elem(&wg_blocklist, &from);
	return until_ns && now_ns < *until_ns && to_us(f);
}

static __always_inline bool shaped(__u32 type, __u32 len_bytes)
{
	switch (type) {
	case 1:
		return len_bytes == WG_INITIATION_BYTES;
	case 2:
		return len_bytes == WG_RESPONSE_BYTES;
	case 3:
		return len_bytes == WG_COOKIE_BYTES;
	case WG_TRANSPORT:
		return len_bytes >= WG_TRANSPORT_MIN_BYTES;
	}
	return false;
}

/* Is the whole datagram here, and nothing behind it? */
static __always_inline bool exact(const struct hd_frame *f)
{
	__u32 header = f->ip4 ? sizeof(*f->ip4) : sizeof(*f->ip6);

	return f->left_bytes == f->ip_len_bytes &&
	       bpf_ntohs(f->udp->len) + header == f->ip_len_bytes;
}

/* A sender on this machine leaves the checksum to its network card, a receiver
 * that joins packets (GRO) too: the field then holds the sum of the pseudo
 * header alone, and whoever fills it in later knows the old place. One in
 * 65,536 full checksums looks the same, which costs that packet the detour. */
static __always_inline bool checksum_usable(const struct hd_frame *f)
{
	__u64 pseudo = hd_sum_addr(&f->from) + hd_sum_addr(&f->to) +
		       f->udp->len + bpf_htons(IPPROTO_UDP);

	if (f->udp->check == 0)
		return f->ip4 != NULL;
	return f->udp->check != hd_sum_fold(pseudo);
}

/* Returns one of BPF_FIB_LKUP_RET_*; the way is then in r. */
static __always_inline int route(struct xdp_md *ctx, const struct hd_frame *f,
				 const struct wg_relay_path *p,
				 struct hd_route *r, __u64 now_ns)
{
	struct bpf_fib_lookup fib = { .ifindex = fib_ifindex,
				      .sport = relay_port };

	if (hd_route_fresh(r, p, f->ip_len_bytes, now_ns))
		return BPF_FIB_LKUP_RET_SUCCESS;
	int why = hd_route_ask(ctx, f, p, &fib);
	if (why == BPF_FIB_LKUP_RET_SUCCESS)
		hd_route_keep(r, p, &fib, now_ns);
	return why;
}

static __always_inline int no_route(struct wg_relay_stats *stats, int why)
{
	switch (why) {
	case BPF_FIB_LKUP_RET_NO_NEIGH:
		return pass(&stats->pass_no_mac); /* sending asks for it */
	case BPF_FIB_LKUP_RET_FRAG_NEEDED:
		return pass(&stats->pass_too_big);
	case BPF_FIB_LKUP_RET_FWD_DISABLED:
		return pass(&stats->pass_no_forwarding);
	}
	return pass(&stats->pass_no_route);
}

static __always_inline void rewrite_ip4(struct iphdr *ip,
					const struct wg_relay_path *p)
{
	__u16 *ttl_word = (__u16 *)&ip->ttl; /* with the protocol */
	__u64 was = (__u64)*ttl_word + ip->saddr + ip->daddr;

	ip->ttl = relay_ttl;
	ip->saddr = p->from.w[3];
	ip->daddr = p->to.w[3];
	ip->check = hd_sum_update(ip->check, was,
				  (__u64)*ttl_word + ip->saddr + ip->daddr);
}

static __always_inline void rewrite_ip6(struct ipv6hdr *ip,
					const struct wg_relay_path *p)
{
	ip->hop_limit = relay_ttl;
	__builtin_memcpy(&ip->saddr, &p->from, sizeof(ip->saddr));
	__builtin_memcpy(&ip->daddr, &p->to, sizeof(ip->daddr));
}

static __always_inline void rewrite_udp(const struct hd_frame *f,
					const struct wg_relay_path *p)
{
	struct udphdr *udp = f->udp;
	__u64 was = hd_sum_addr(&f->from) + hd_sum_addr(&f->to) + udp->source +
		    udp->dest;
	__u64 is = hd_sum_addr(&p->from) + hd_sum_addr(&p->to) + relay_port +
		   p->to_port;

	udp->source = relay_port;
	udp->dest = p->to_port;
	if (udp->check == 0)
		return; /* IPv4 without one */
	udp->check = hd_sum_update(udp->check, was, is);
	if (udp->check == 0)
		udp->check = 0xffff; /* zero would mean: none */
}

static __always_inline void rewrite(const struct hd_frame *f,
				    const struct wg_relay_path *p,
				    const struct hd_route *r)
{
	__builtin_memcpy(f->eth->h_dest, r->dmac, ETH_ALEN);
	__builtin_memcpy(f->eth->h_source, r->smac, ETH_ALEN);
	if (f->ip4)
		rewrite_ip4(f->ip4, p);
	else if (f->ip6)
		rewrite_ip6(f->ip6, p);
	rewrite_udp(f, p);
}

static __always_inline void count(const struct hd_frame *f,
				  const struct wg_message *msg,
				  struct wg_relay_path *p,
				  struct wg_relay_stats *stats, __u64 now_ns)
{
	__u32 len_bytes = bpf_ntohs(f->udp->len) - sizeof(*f->udp);
	__u64 counter = WG_LE64(msg->counter);

	/* Atomic: one flow is mostly one CPU's, but RSS may move it. */
	__sync_fetch_and_add(&p->packets, 1);
	__sync_fetch_and_add(&p->bytes, len_bytes);
	p->last_ns = now_ns;
	if (counter > p->counter)
		p->counter = counter;
	stats->fwd_packets++;
	stats->fwd_bytes += len_bytes;
}

static __always_inline struct wg_relay_path *find(const struct hd_frame *f,
						  const struct wg_message *msg)
{
	struct wg_relay_key key = { .from = f->from,
				    .index = msg->index,
				    .from_port = f->udp->source };
	struct wg_relay_path *p = bpf_map_lookup_elem(&wg_paths, &key);

	return p && hd_addr_same(&p->at, &f->to) ? p : NULL;
}

static __always_inline int forward(struct xdp_md *ctx, struct hd_frame *f,
				   const struct wg_message *msg,
				   struct wg_relay_stats *stats, __u64 now_ns)
{
	struct wg_relay_path *p = find(f, msg);

	if (!p)
		return pass(&stats->pass_no_peer);
	if (f->ttl <= 1)
		return pass(&stats->pass_odd);
	if (!checksum_usable(f))
		return pass(&stats->pass_checksum);
	struct hd_route *r = hd_route_slot(p);
	if (!r)
		return pass(&stats->pass_no_route);
	int why = route(ctx, f, p, r, now_ns);
	if (why != BPF_FIB_LKUP_RET_SUCCESS)
		return no_route(stats, why);
	__u32 out = r->ifindex;
	struct wg_relay_egress *egress = bpf_map_lookup_elem(&wg_egress, &out);
	if (!egress || egress->tags != f->tags)
		return pass(&stats->pass_no_route);
	rewrite(f, p, r);
	count(f, msg, p, stats, now_ns);
	if (egress->ifindex == ctx->ingress_ifindex)
		return XDP_TX;
	return bpf_redirect_map(&wg_devmap, egress->ifindex, 0);
}

/* Whoever is blocked may still answer. */
static __always_inline int handshake(const struct hd_frame *f, __u32 type,
				     struct wg_relay_stats *stats, __u64 now_ns)
{
	if (type != WG_INITIATION || !blocked(f, now_ns))
		return pass(&stats->pass_handshake);
	stats->drop_blocklisted++;
	return XDP_DROP;
}

/* A datagram for the relay's port: pos is at its payload. */
static __always_inline int relay(struct xdp_md *ctx, struct hd_frame *f,
				 struct wg_relay_stats *stats)
{
	__u64 now_ns = bpf_ktime_get_coarse_ns();
	__u32 len_bytes = bpf_ntohs(f->udp->len) - sizeof(*f->udp);
	struct wg_message *msg;

	if (now_ns > lease_ns)
		return pass(&stats->pass_lapsed);
	if (!exact(f))
		return pass(&stats->pass_odd);
	if (!HD_TAKE(f, msg) || !shaped(WG_LE32(msg->type), len_bytes)) {
		if (!to_us(f))
			return pass(&stats->pass_odd);
		stats->not_wg_shaped++;
		return XDP_DROP;
	}
	if (WG_LE32(msg->type) != WG_TRANSPORT)
		return handshake(f, WG_LE32(msg->type), stats, now_ns);
	return forward(ctx, f, msg, stats, now_ns);
}

SEC("xdp")
int wg_relay(struct xdp_md *ctx)
{
	struct hd_frame f = {};
	__u32 zero = 0;

	if (hd_parse_udp(ctx, &f) < 0 || f.udp->dest != relay_port)
		return XDP_PASS;
	struct wg_relay_stats *stats =
		bpf_map_lookup_elem(&wg_xdp_stats, &zero);
	if (!stats)
		return XDP_PASS;
	stats->rx_packets++;
	return relay(ctx, &f, stats);
}

/* bpf_fib_lookup() is for programs that the GPL may be applied to. */
char LICENSE[] SEC("license") = "Dual MIT/GPL";
