/* SPDX-License-Identifier: MIT */
/* modules/wg/addr.c - addresses as keys and back. */
#include "modules/wg/addr.h"

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

struct wg_addr wg_addr_of(const union hd_addr *from)
{
	struct wg_addr a = { .set = 1 };

	if (from->sa.sa_family == AF_INET) {
		memcpy(a.ip, mapped, sizeof(mapped));
		memcpy(a.ip + 12, &from->in.sin_addr, 4);
		a.port = from->in.sin_port;
	} else if (from->sa.sa_family == AF_INET6) {
		memcpy(a.ip, &from->in6.sin6_addr, 16);
		a.port = from->in6.sin6_port;
		if (IN6_IS_ADDR_LINKLOCAL(&from->in6.sin6_addr))
			a.scope = from->in6.sin6_scope_id;
	} else {
		a.set = 0;
	}
	return a;
}

static bool is_ipv4(const struct wg_addr *a)
{
	return memcmp(a->ip, mapped, sizeof(mapped)) == 0;
}

void wg_addr_get(const struct wg_addr *a, union hd_addr *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (!a->set)
		return;
	if (is_ipv4(a)) {
		ret->in.sin_family = AF_INET;
		ret->in.sin_port = a->port;
		memcpy(&ret->in.sin_addr, a->ip + 12, 4);
		return;
	}
	ret->in6.sin6_family = AF_INET6;
	ret->in6.sin6_port = a->port;
	ret->in6.sin6_scope_id = a->scope;
	memcpy(&ret->in6.sin6_addr, a->ip, 16);
}

struct wg_addr wg_addr_source(const struct wg_addr *a)
{
	struct wg_addr s = *a;

	s.port = 0;
	s.scope = 0;
	if (!is_ipv4(a))
		memset(s.ip + 8, 0, 8);
	return s;
}

const char *wg_addr_text(const struct wg_addr *a, char buf[HD_ADDR_TEXT_BYTES])
{
	union hd_addr addr;

	wg_addr_get(a, &addr);
	return a->set ? hd_addr_text(&addr, buf) : strcpy(buf, "-");
}
