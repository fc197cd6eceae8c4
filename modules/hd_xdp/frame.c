/* SPDX-License-Identifier: MIT */
/* modules/hd_xdp/frame.c - see frame.h. RFC 791, 768, 1071, 8200. */
#include "modules/hd_xdp/frame.h"
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <string.h>

enum {
	TTL = 64,
	IP4_DF = 0x4000,
	IP4_FRAGMENT = 0x3fff, /* offset, or more to come */
	IP4_AT = sizeof(struct ethhdr),
};

/* ---- in ---- */

/* Of the UDP header at p: length and ports. */
static bool take_udp(uint8_t *p, size_t n, in_port_t *ret_from,
		     struct hd_datagram *ret)
{
	struct udphdr udp;

	if (n < sizeof(udp))
		return false;
	memcpy(&udp, p, sizeof(udp));
	if (ntohs(udp.len) != n)
		return false;
	*ret_from = udp.source;
	ret->data = p + sizeof(udp);
	ret->len_bytes = (uint32_t)(n - sizeof(udp));
	return true;
}

static bool take_ip4(uint8_t *p, size_t n, struct hd_datagram *ret)
{
	struct iphdr ip;

	if (n < sizeof(ip))
		return false;
	memcpy(&ip, p, sizeof(ip));
	if (ip.version != 4 || ip.ihl != 5 || ip.protocol != IPPROTO_UDP ||
	    ntohs(ip.tot_len) != n ||
	    (ip.frag_off & htons(IP4_FRAGMENT)) != 0)
		return false;
	ret->from.in = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = ip.saddr
	};
	ret->to.in = (struct sockaddr_in){ .sin_family = AF_INET,
					   .sin_addr.s_addr = ip.daddr };
	return take_udp(p + sizeof(ip), n - sizeof(ip), &ret->from.in.sin_port,
			ret);
}

static bool take_ip6(uint8_t *p, size_t n, struct hd_datagram *ret)
{
	struct ipv6hdr ip;

	if (n < sizeof(ip))
		return false;
	memcpy(&ip, p, sizeof(ip));
	if (ip.version != 6 || ip.nexthdr != IPPROTO_UDP ||
	    ntohs(ip.payload_len) + sizeof(ip) != n)
		return false;
	ret->from.in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
					       .sin6_addr = ip.saddr };
	ret->to.in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
					     .sin6_addr = ip.daddr };
	return take_udp(p + sizeof(ip), n - sizeof(ip),
			&ret->from.in6.sin6_port, ret);
}

bool hxp_frame_get(uint8_t *p, size_t n, struct hd_datagram *ret)
{
	struct ethhdr eth;

	if (n < sizeof(eth))
		return false;
	memcpy(&eth, p, sizeof(eth));
	memset(ret, 0, sizeof(*ret));
	if (eth.h_proto == htons(ETH_P_IP))
		return take_ip4(p + sizeof(eth), n - sizeof(eth), ret);
	return eth.h_proto == htons(ETH_P_IPV6) &&
	       take_ip6(p + sizeof(eth), n - sizeof(eth), ret);
}

/* ---- sums ---- */

static uint16_t fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

static uint64_t add(uint64_t sum, uint64_t words)
{
	return sum + (words & 0xffffffff) + (words >> 32);
}

/* The sum of n bytes, which are copied on the way. */
static uint64_t copy(uint8_t *to, const uint8_t *p, size_t n)
{
	uint64_t sum = 0, other = 0, a, b;

	for (; n >= 2 * sizeof(a); n -= 2 * sizeof(a)) {
		memcpy(&a, p, sizeof(a));
		memcpy(&b, p + sizeof(a), sizeof(b));
		memcpy(to, &a, sizeof(a));
		memcpy(to + sizeof(a), &b, sizeof(b));
		sum = add(sum, a);
		other = add(other, b);
		p += 2 * sizeof(a);
		to += 2 * sizeof(a);
	}
	for (; n > 0; n -= HD_MIN(n, sizeof(a))) {
		size_t some = HD_MIN(n, sizeof(a));

		a = 0;
		memcpy(&a, p, some);
		memcpy(to, &a, some);
		sum = add(sum, a);
		p += some;
		to += some;
	}
	return sum + other;
}

static uint64_t sum_of(const uint8_t *p, size_t n)
{
	uint8_t unused[HXP_HEAD_MAX_BYTES];

	return copy(unused, p, n);
}

/* ---- out ---- */

/* fe80::/10 needs an interface beside it; so has nobody who is reached by a
 * router. */
static bool needs_interface(const struct in6_addr *a)
{
	return IN6_IS_ADDR_LINKLOCAL(a) || IN6_IS_ADDR_MULTICAST(a);
}

static void put_v4(uint8_t to[16], const struct sockaddr_in *in)
{
	memset(to, 0, 10);
	memset(to + 10, 0xff, 2);
	memcpy(to + 12, &in->sin_addr, 4);
}

bool hxp_pair_of(const union hd_addr *to, const union hd_addr *from,
		 struct hxp_pair *ret)
{
	if (from == NULL || to->sa.sa_family != from->sa.sa_family)
		return false;
	ret->family = to->sa.sa_family;
	if (ret->family == AF_INET) {
		put_v4(ret->to, &to->in);
		put_v4(ret->from, &from->in);
		ret->to_port = to->in.sin_port;
		return true;
	}
	memcpy(ret->to, &to->in6.sin6_addr, sizeof(ret->to));
	memcpy(ret->from, &from->in6.sin6_addr, sizeof(ret->from));
	ret->to_port = to->in6.sin6_port;
	return ret->family == AF_INET6 &&
	       !needs_interface(&to->in6.sin6_addr) &&
	       !needs_interface(&from->in6.sin6_addr);
}

static size_t put_ip4(uint8_t *p, const struct hxp_pair *pair)
{
	struct iphdr ip = { .version = 4,
			    .ihl = 5,
			    .frag_off = htons(IP4_DF),
			    .ttl = TTL,
			    .protocol = IPPROTO_UDP };

	memcpy(&ip.saddr, pair->from + 12, sizeof(ip.saddr));
	memcpy(&ip.daddr, pair->to + 12, sizeof(ip.daddr));
	memcpy(p, &ip, sizeof(ip));
	return sizeof(ip);
}

static size_t put_ip6(uint8_t *p, const struct hxp_pair *pair)
{
	struct ipv6hdr ip = { .version = 6,
			      .nexthdr = IPPROTO_UDP,
			      .hop_limit = TTL };

	memcpy(&ip.saddr, pair->from, sizeof(ip.saddr));
	memcpy(&ip.daddr, pair->to, sizeof(ip.daddr));
	memcpy(p, &ip, sizeof(ip));
	return sizeof(ip);
}

void hxp_head_make(struct hxp_head *h, const struct hxp_pair *pair,
		   in_port_t from_port, const uint8_t next[HXP_MAC_BYTES],
		   const uint8_t ours[HXP_MAC_BYTES])
{
	bool v4 = pair->family == AF_INET;
	struct ethhdr eth = { .h_proto = htons(v4 ? ETH_P_IP : ETH_P_IPV6) };
	struct udphdr udp = { .source = from_port, .dest = pair->to_port };
	size_t skip = v4 ? 12 : 0, n;

	memcpy(eth.h_dest, next, sizeof(eth.h_dest));
	memcpy(eth.h_source, ours, sizeof(eth.h_source));
	memcpy(h->v, &eth, sizeof(eth));
	n = v4 ? put_ip4(h->v + IP4_AT, pair) : put_ip6(h->v + IP4_AT, pair);
	h->ip_sum = v4 ? fold(sum_of(h->v + IP4_AT, n)) : 0;
	memcpy(h->v + IP4_AT + n, &udp, sizeof(udp));
	h->n = (uint8_t)(IP4_AT + n + sizeof(udp));
	h->udp_sum = fold(sum_of(pair->to + skip, sizeof(pair->to) - skip) +
			  sum_of(pair->from + skip, sizeof(pair->from) - skip) +
			  htons(IPPROTO_UDP) + udp.source + udp.dest);
}

static void put16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, sizeof(v));
}

size_t hxp_frame_put(uint8_t *frame, const struct hxp_head *h,
		     const uint8_t *data, size_t len_bytes)
{
	uint16_t udp_len = htons((uint16_t)(len_bytes + sizeof(struct udphdr)));
	uint8_t *ip = frame + IP4_AT;
	uint8_t *udp = frame + h->n - sizeof(struct udphdr);
	uint64_t sum = copy(frame + h->n, data, len_bytes);
	uint16_t check = (uint16_t)~fold(sum + h->udp_sum + udp_len + udp_len);

	memcpy(frame, h->v, h->n);
	put16(udp + offsetof(struct udphdr, len), udp_len);
	/* 0 would say that there is none */
	put16(udp + offsetof(struct udphdr, check), check ? check : 0xffff);
	if (udp - ip == sizeof(struct iphdr)) {
		uint16_t total = htons((uint16_t)(frame + h->n + len_bytes -
						  ip));

		put16(ip + offsetof(struct iphdr, tot_len), total);
		put16(ip + offsetof(struct iphdr, check),
		      (uint16_t)~fold((uint64_t)h->ip_sum + total));
	} else {
		put16(ip + offsetof(struct ipv6hdr, payload_len), udp_len);
	}
	return h->n + len_bytes;
}
