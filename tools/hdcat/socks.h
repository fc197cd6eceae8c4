/* SPDX-License-Identifier: MIT */
/* tools/hdcat/socks.h - what a client of SOCKS5 says (RFC 1928, 3 and 4). */
#pragma once
#include "tools/hdcat/target.h"
#include <stdint.h>
#include <sys/types.h>

enum { SOCKS_VERSION = 5, SOCKS_IPV4 = 1 };

/* socks_greeting - @ret_none  whether it can do without authentication.
 * socks_request - @ret  where it wants to go.
 * Both return how many bytes it had; 0 there is more to come; -EPROTO it is
 * none, or not CONNECT, or to no address. */
ssize_t socks_greeting(const uint8_t *p, size_t n, bool *ret_none);
ssize_t socks_request(const uint8_t *p, size_t n, struct target *ret);
