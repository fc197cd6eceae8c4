/* SPDX-License-Identifier: MIT */
/* core/net/udp_addr.h - addresses of datagrams. */
#pragma once
#include <hyper-derp/base.h>

#define HD_UDP_CONTROL_BYTES (CMSG_SPACE(sizeof(struct in6_pktinfo)))

/* hd_udp_unmap - an IPv4 address that came as IPv6. hd_udp_map - back, for a
 * dual-stack socket. */
void hd_udp_unmap(union hd_addr *a);
void hd_udp_map(union hd_addr *a);
/* hd_udp_came_to - our address that it was sent to; family 0: unknown.
 * hd_udp_send_from - the answer leaves from there; msg_control has room for
 * HD_UDP_CONTROL_BYTES. */
union hd_addr hd_udp_came_to(struct msghdr *m);
void hd_udp_send_from(struct msghdr *m, const union hd_addr *from);
