/* SPDX-License-Identifier: MIT */
/* modules/hd_xdp/lookup.c - see lookup.h. */
#include "modules/hd_xdp/lookup.h"
#include <errno.h>
#include <net/if.h> /* before the kernel's, which then leave out the same */
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
	struct nlmsghdr head;
	union {
		struct rtmsg route;
		struct ndmsg neighbour;
	} u;
	uint8_t attributes[128];
};

union answer {
	struct nlmsghdr head;
	uint8_t bytes[8192];
};

int hxp_lookup_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	return fd < 0 ? -errno : fd;
}

/* ---- netlink ---- */

static void put(struct request *r, unsigned short type, const void *p, size_t n)
{
	struct rtattr *a = (void *)((uint8_t *)r +
				    NLMSG_ALIGN(r->head.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(n);
	memcpy(RTA_DATA(a), p, n);
	r->head.nlmsg_len = (uint32_t)(NLMSG_ALIGN(r->head.nlmsg_len) +
				       RTA_ALIGN(a->rta_len));
}

/* Returns 0 with an answer of that type; -errno. */
static int ask(int fd, struct request *r, unsigned short type,
	       union answer *answer)
{
	ssize_t n;

	r->head.nlmsg_flags = NLM_F_REQUEST;
	if (send(fd, r, r->head.nlmsg_len, 0) < 0)
		return -errno;
	n = recv(fd, answer, sizeof(*answer), 0);
	if (n < 0)
		return -errno;
	if (!NLMSG_OK(&answer->head, (size_t)n))
		return -EBADMSG;
	if (answer->head.nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *e = NLMSG_DATA(&answer->head);

		return e->error < 0 ? e->error : -EBADMSG;
	}
	return answer->head.nlmsg_type == type ? 0 : -EBADMSG;
}

static const struct rtattr *find(const struct rtattr *a, size_t n,
				 unsigned short type)
{
	for (; RTA_OK(a, n); a = RTA_NEXT(a, n))
		if (a->rta_type == type)
			return a;
	return NULL;
}

/* Behind what the answer begins with. */
static const struct rtattr *attribute(const union answer *answer, size_t head,
				      unsigned short type)
{
	const uint8_t *p = answer->bytes + NLMSG_SPACE(head);

	return find((const void *)p,
		    answer->head.nlmsg_len - NLMSG_SPACE(head), type);
}

static uint32_t number(const struct rtattr *a)
{
	uint32_t v = 0;

	if (a != NULL && RTA_PAYLOAD(a) >= sizeof(v))
		memcpy(&v, RTA_DATA(a), sizeof(v));
	return v;
}

/* ---- the way ---- */

struct address {
	const void *p;
	size_t n;
};

static struct address address_of(const struct hxp_pair *pair,
				 const uint8_t v[16])
{
	return pair->family == AF_INET ? (struct address){ v + 12, 4 }
				       : (struct address){ v, 16 };
}

/* Returns 0 with the interface and the next hop, for which via has room. */
static int route(int fd, const struct hxp_pair *pair, in_port_t from_port,
		 struct hxp_route *ret, uint8_t via[16])
{
	struct address to = address_of(pair, pair->to);
	struct address from = address_of(pair, pair->from);
	struct request r = {
		.head = { .nlmsg_len = NLMSG_LENGTH(sizeof(r.u.route)),
			  .nlmsg_type = RTM_GETROUTE },
		.u.route = { .rtm_family = (uint8_t)pair->family,
			     .rtm_dst_len = (uint8_t)(8 * to.n),
			     .rtm_src_len = (uint8_t)(8 * from.n) },
	};
	const struct rtattr *a;
	const struct rtmsg *m;
	union answer answer;
	uint8_t udp = IPPROTO_UDP;
	int e;

	put(&r, RTA_DST, to.p, to.n);
	put(&r, RTA_SRC, from.p, from.n);
	put(&r, RTA_IP_PROTO, &udp, sizeof(udp));
	put(&r, RTA_SPORT, &from_port, sizeof(from_port));
	put(&r, RTA_DPORT, &pair->to_port, sizeof(pair->to_port));
	e = ask(fd, &r, RTM_NEWROUTE, &answer);
	if (e < 0)
		return e;
	m = NLMSG_DATA(&answer.head);
	if (m->rtm_type != RTN_UNICAST ||
	    attribute(&answer, sizeof(*m), RTA_ENCAP) != NULL ||
	    attribute(&answer, sizeof(*m), RTA_VIA) != NULL)
		return -EHOSTUNREACH;
	ret->ifindex = number(attribute(&answer, sizeof(*m), RTA_OIF));
	a = attribute(&answer, sizeof(*m), RTA_METRICS);
	ret->mtu = a == NULL ? 0
			     : number(find(RTA_DATA(a), RTA_PAYLOAD(a),
					   RTAX_MTU));
	memcpy(via, to.p, to.n);
	a = attribute(&answer, sizeof(*m), RTA_GATEWAY);
	if (a != NULL && RTA_PAYLOAD(a) == to.n)
		memcpy(via, RTA_DATA(a), to.n);
	return 0;
}

/* Who is known now, or was and has not been found to be away. */
static bool is_there(const struct ndmsg *m)
{
	return m->ndm_state & (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE |
			       NUD_STALE | NUD_DELAY | NUD_PROBE);
}

static int neighbour(int fd, const struct hxp_pair *pair, const uint8_t *via,
		     struct hxp_route *ret)
{
	struct request r = {
		.head = { .nlmsg_len = NLMSG_LENGTH(sizeof(r.u.neighbour)),
			  .nlmsg_type = RTM_GETNEIGH },
		.u.neighbour = { .ndm_family = (uint8_t)pair->family,
				 .ndm_ifindex = (int)ret->ifindex },
	};
	const struct rtattr *a;
	const struct ndmsg *m;
	union answer answer;
	int e;

	put(&r, NDA_DST, via, pair->family == AF_INET ? 4 : 16);
	e = ask(fd, &r, RTM_NEWNEIGH, &answer);
	if (e < 0)
		return e;
	m = NLMSG_DATA(&answer.head);
	a = attribute(&answer, sizeof(*m), NDA_LLADDR);
	if (!is_there(m) || a == NULL || RTA_PAYLOAD(a) != sizeof(ret->next))
		return -EHOSTUNREACH;
	memcpy(ret->next, RTA_DATA(a), sizeof(ret->next));
	return 0;
}

/* ---- the interface ---- */

/* Of the interface's MTU and the route's the smaller one. */
static int device(struct hxp_route *ret)
{
	struct ifreq mac = { .ifr_ifindex = 0 }, mtu;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), e = 0;

	if (fd < 0)
		return -errno;
	if (if_indextoname(ret->ifindex, mac.ifr_name) == NULL) {
		e = -errno;
		close(fd);
		return e;
	}
	mtu = mac;
	if (ioctl(fd, SIOCGIFHWADDR, &mac) < 0 ||
	    ioctl(fd, SIOCGIFMTU, &mtu) < 0)
		e = -errno;
	close(fd);
	if (e < 0)
		return e;
	if (mac.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return -EHOSTUNREACH;
	memcpy(ret->ours, mac.ifr_hwaddr.sa_data, sizeof(ret->ours));
	if (ret->mtu == 0 || ret->mtu > (uint32_t)mtu.ifr_mtu)
		ret->mtu = (uint32_t)mtu.ifr_mtu;
	return 0;
}

int hxp_lookup(int fd, const struct hxp_pair *pair, in_port_t from_port,
	       struct hxp_route *ret)
{
	uint8_t via[16];
	int r = route(fd, pair, from_port, ret, via);

	if (r == 0)
		r = neighbour(fd, pair, via, ret);
	return r == 0 ? device(ret) : r;
}
