/* SPDX-License-Identifier: MIT */
/* core/net/udp_bind.h - a bound UDP socket: the bind check, LISTEN_FDS. */
#pragma once
#include <hyper-derp/base.h>

struct hd_module;

/* hd_udp_bind - returns the socket, non-blocking, telling to which of our
 * addresses datagrams came; negative with err. An address belongs to one
 * module. hd_udp_unbind - closes it. Any worker.
 * hd_udp_forget - what nobody has bound any more is looked at anew when it is
 * bound again; once the ring has let go of the sockets. Main thread. */
int hd_udp_bind(const struct hd_module *mod, const union hd_addr *addr,
		struct hd_error *err);
void hd_udp_unbind(const union hd_addr *addr, int fd);
void hd_udp_forget(void);
