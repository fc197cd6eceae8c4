/* SPDX-License-Identifier: MIT */
/* core/base/addr.h - comparing addresses. Any thread; inline, for every UDP
 * packet asks whether it joins the one before it. */
#pragma once
#include <hyper-derp/base.h>
#include <string.h>

/* hd_addr_same - family, address, port and scope are equal. What else stands in
 * the struct (padding, flow information) names no other socket. */
static inline bool hd_addr_same(const union hd_addr *a, const union hd_addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_port == b->in.sin_port &&
		       a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	return a->sa.sa_family == AF_INET6 &&
	       a->in6.sin6_port == b->in6.sin6_port &&
	       a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
	       memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr,
		      sizeof(a->in6.sin6_addr)) == 0;
}
