/* SPDX-License-Identifier: MIT */
/* core/udp_bind.h - a bound UDP socket: the bind check, LISTEN_FDS. */
#pragma once
#include <hyper-derp/base.h>

/* hd_udp_bind - returns the socket, non-blocking, telling to which of our
 * addresses datagrams came; negative with err. Any worker. */
int hd_udp_bind(const union hd_addr *addr, struct hd_error *err);
