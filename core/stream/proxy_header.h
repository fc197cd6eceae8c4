/* SPDX-License-Identifier: MIT */
/* core/stream/proxy_header.h - the PROXY protocol's header, versions 1 and 2.
 * Source: haproxy's doc/proxy-protocol.txt, "the specification". Any thread. */
#pragma once
#include <hyper-derp/base.h>

/* The specification wants it in one segment (536 bytes); certificates of
 * clients in it take more. nginx reads as much. */
#define HD_PROXY_HEADER_MAX_BYTES 4096

/* hd_proxy_header_parse - the header that a connection begins with, of which n
 * bytes are there so far. What cannot become one is refused at its first byte.
 * @ret_client  whose connection it is; family AF_UNSPEC: the header names
 *              nobody (a health check; neither TCP over IPv4 nor over IPv6), so
 *              it is the proxy's own
 * @ret_why     with -EBADMSG: what is wrong, a literal
 * Returns the bytes of the header; 0: it is not complete yet; -EBADMSG. */
int hd_proxy_header_parse(const uint8_t *p, size_t n, union hd_addr *ret_client,
			  const char **ret_why);
