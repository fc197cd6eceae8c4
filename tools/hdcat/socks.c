/* SPDX-License-Identifier: MIT */
/* tools/hdcat/socks.c - the messages of SOCKS5 (RFC 1928): without
 * authentication, CONNECT only. A name is not looked up here. */
#include "tools/hdcat/socks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { CONNECT = 1, ADDR_NAME = 3, ADDR_IPV6 = 4 };

ssize_t socks_greeting(const uint8_t *p, size_t n, bool *ret_none)
{
	if (n >= 1 && p[0] != SOCKS_VERSION)
		return -EPROTO;
	if (n < 2 || n < 2u + p[1])
		return 0;
	*ret_none = memchr(p + 2, 0, p[1]) != NULL;
	return 2 + p[1];
}

static size_t address_bytes(const uint8_t *p)
{
	if (p[3] == SOCKS_IPV4)
		return 4;
	if (p[3] == ADDR_IPV6)
		return 16;
	return p[3] == ADDR_NAME ? 1u + p[4] : 0;
}

ssize_t socks_request(const uint8_t *p, size_t n, struct target *ret)
{
	char host[INET6_ADDRSTRLEN], text[TARGET_TEXT_BYTES + 8];
	size_t len;
	int port;

	if (n < 5)
		return 0;
	len = address_bytes(p);
	if (p[0] != SOCKS_VERSION || p[1] != CONNECT || len == 0)
		return -EPROTO;
	if (n < 4 + len + 2)
		return 0;
	port = p[4 + len] << 8 | p[5 + len];
	if (p[3] == ADDR_NAME)
		snprintf(text, sizeof(text), "%.*s:%d", p[4], p + 5, port);
	else if (p[3] == SOCKS_IPV4)
		snprintf(text, sizeof(text), "%s:%d",
			 inet_ntop(AF_INET, p + 4, host, sizeof(host)), port);
	else
		snprintf(text, sizeof(text), "[%s]:%d",
			 inet_ntop(AF_INET6, p + 4, host, sizeof(host)), port);
	/* a path is no host, a NUL ends none */
	if (text[0] == '/' ||
	    (p[3] == ADDR_NAME && memchr(p + 5, 0, p[4]) != NULL) ||
	    target_parse(text, strlen(text), TARGET_DIAL, ret) < 0)
		return -EPROTO;
	return (ssize_t)(4 + len + 2);
}
