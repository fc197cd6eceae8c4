/* SPDX-License-Identifier: MIT */
/* core/net/udp_addr.c - addresses of datagrams: IPv4 on dual-stack sockets, and
 * to which of our addresses one came (ip(7), ipv6(7): IP_PKTINFO). */
#include "core/net/udp_addr.h"
#include <string.h>

/* An IPv4 client on a dual-stack socket is an IPv4 client. */
void hd_udp_unmap(union hd_addr *a)
{
	struct in_addr v4;

	if (a->sa.sa_family != AF_INET6 ||
	    !IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr))
		return;
	memcpy(&v4, &a->in6.sin6_addr.s6_addr[12], sizeof(v4));
	in_port_t port = a->in6.sin6_port;

	*a = (union hd_addr){ .in = { .sin_family = AF_INET,
				      .sin_port = port,
				      .sin_addr = v4 } };
}

union hd_addr hd_udp_came_to(struct msghdr *m)
{
	union hd_addr to = { 0 };

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IPV6 &&
		    c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			to.in6.sin6_family = AF_INET6;
			to.in6.sin6_addr = info.ipi6_addr;
			to.in6.sin6_scope_id = info.ipi6_ifindex;
		} else if (c->cmsg_level == IPPROTO_IP &&
			   c->cmsg_type == IP_PKTINFO && to.sa.sa_family == 0) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			to.in.sin_family = AF_INET;
			to.in.sin_addr = info.ipi_spec_dst;
		}
	}
	return to;
}

/* A dual-stack socket takes IPv4 addresses mapped only. */
void hd_udp_map(union hd_addr *a)
{
	union hd_addr v6 = { .in6 = { .sin6_family = AF_INET6,
				      .sin6_port = a->in.sin_port } };

	if (a->sa.sa_family != AF_INET)
		return;
	v6.in6.sin6_addr.s6_addr[10] = 0xff;
	v6.in6.sin6_addr.s6_addr[11] = 0xff;
	memcpy(&v6.in6.sin6_addr.s6_addr[12], &a->in.sin_addr,
	       sizeof(a->in.sin_addr));
	*a = v6;
}

static void control_put(struct msghdr *m, int level, int type, const void *info,
			size_t len)
{
	struct cmsghdr *c = m->msg_control;

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), info, len);
	m->msg_controllen = CMSG_SPACE(len);
}

void hd_udp_send_from(struct msghdr *m, const union hd_addr *from)
{
	if (from->sa.sa_family == AF_INET6) {
		struct in6_pktinfo info = {
			.ipi6_addr = from->in6.sin6_addr,
			.ipi6_ifindex = from->in6.sin6_scope_id,
		};

		control_put(m, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	} else {
		struct in_pktinfo info = { .ipi_spec_dst = from->in.sin_addr };

		control_put(m, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	}
}
