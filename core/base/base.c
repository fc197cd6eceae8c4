/* SPDX-License-Identifier: MIT */
/* core/base/base.c - the few functions that every part calls. Any thread. */
#include <arpa/inet.h>
#include <hyper-derp/base.h>
#include <hyper-derp/log.h>
#include <stdarg.h>
#include <stdio.h>

static const char *text_v4(const struct in_addr *ip, in_port_t port, char *buf)
{
	char host[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, ip, host, sizeof(host));
	snprintf(buf, HD_ADDR_TEXT_BYTES, "%s:%u", host, ntohs(port));
	return buf;
}

static const char *text_v6(const struct sockaddr_in6 *in6, char *buf)
{
	char host[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
	snprintf(buf, HD_ADDR_TEXT_BYTES, "[%s]:%u", host,
		 ntohs(in6->sin6_port));
	return buf;
}

const char *hd_addr_text(const union hd_addr *addr,
			 char buf[HD_ADDR_TEXT_BYTES])
{
	const struct in6_addr *ip6 = &addr->in6.sin6_addr;

	if (addr->sa.sa_family == AF_INET)
		return text_v4(&addr->in.sin_addr, addr->in.sin_port, buf);
	if (addr->sa.sa_family != AF_INET6) {
		snprintf(buf, HD_ADDR_TEXT_BYTES, "none");
		return buf;
	}
	if (IN6_IS_ADDR_V4MAPPED(ip6))
		return text_v4((const struct in_addr *)&ip6->s6_addr[12],
			       addr->in6.sin6_port, buf);
	return text_v6(&addr->in6, buf);
}

struct hd_key_text hd_key_text(const struct hd_key *key)
{
	struct hd_key_text text;

	snprintf(text.s, sizeof(text.s), "%02x%02x%02x%02x", key->b[0],
		 key->b[1], key->b[2], key->b[3]);
	return text;
}

int hd_error_set(struct hd_error *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}
