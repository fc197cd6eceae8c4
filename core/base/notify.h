/* SPDX-License-Identifier: MIT */
/* core/base/notify.h - the service manager: readiness out, sockets in
 * (sd_notify(3), sd_listen_fds(3)), without libsystemd. */
#pragma once
#include <hyper-derp/base.h>

/* hd_notify - "READY=1", "STATUS=…"; nothing happens without a manager. */
void hd_notify(const char *fmt, ...) HD_PRINTF(1, 2);

/* hd_listen_fds_init - adopt what LISTEN_FDS hands over, when LISTEN_PID names
 * this process; the variables are removed from the environment. Main thread,
 * once, before other descriptors are opened. Returns how many there are. */
unsigned hd_listen_fds_init(void);
/* hd_listen_fds_unused - close the ones nobody asked for; each is logged. */
void hd_listen_fds_unused(void);

/* hd_listen_fds - the inherited socket of a type bound to addr, or -1; each is
 * given once, close-on-exec set. Source: sd_listen_fds(3). */
int hd_listen_fds(int sock_type, const union hd_addr *addr);
