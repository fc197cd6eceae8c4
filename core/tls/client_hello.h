/* SPDX-License-Identifier: MIT */
/* core/tls/client_hello.h - the name that a client asks for, read before
 * anybody begins TLS with it. Any thread. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define HD_SERVER_NAME_BYTES 254 /* RFC 1035, 2.3.4; with its NUL */
/* Records of a longer one are not looked at any more. */
#define HD_CLIENT_HELLO_MAX_BYTES (16 * 1024)

/* hd_client_hello_name - the SNI (RFC 6066, 3) in a ClientHello, of which n
 * bytes are there so far: records of TLS, as many as it likes.
 * @ret_name  in lower case, without a dot at the end; "": it names nobody, or
 *            what is no name of a host
 * Returns 1: that is known; 0: not yet; -EBADMSG: it is no ClientHello, or
 * longer than HD_CLIENT_HELLO_MAX_BYTES. What is known does not change with
 * what comes behind. */
int hd_client_hello_name(const uint8_t *p, size_t n,
			 char ret_name[static HD_SERVER_NAME_BYTES]);
