/* SPDX-License-Identifier: MIT */
/* core/base/notify.h - the service manager: readiness out, sockets in
 * (sd_notify(3), sd_listen_fds(3)), without libsystemd. */
#pragma once
#include <hyper-derp/base.h>

/* hd_notify - "READY=1", "STATUS=…"; nothing happens without a manager. */
void hd_notify(const char *fmt, ...) HD_PRINTF(1, 2);
/* hd_notify_barrier - returns when the manager has read what it was told, or
 * after limit_ms. Source: sd_notify_barrier(3). */
void hd_notify_barrier(unsigned limit_ms);

/* hd_listen_fds_init - adopt what LISTEN_FDS hands over, when LISTEN_PID names
 * this process; the variables are removed from the environment. Main thread,
 * once, before other descriptors are opened. Returns how many there are. */
unsigned hd_listen_fds_init(void);
/* hd_listen_fds_add - one more, from the process that runs before this one
 * (core/daemon/upgrade.h): taken. Returns 0; -ENOTSOCK, -ENOMEM: it is the
 * caller's still. Main thread, before the first is asked for.
 * hd_listen_fds_unused - close the ones nobody asked for; an address that is
 * nowhere is logged.
 * hd_listen_fds_add_any - as hd_listen_fds_add(), of a listener whose entry has
 * port 0: which one that is, a label says. */
int hd_listen_fds_add(int fd);
int hd_listen_fds_add_any(int fd, const char *label);
void hd_listen_fds_unused(void);
/* hd_listen_fds_lend - who gave them uses them still: none may be shut down. */
void hd_listen_fds_lend(bool lent);
bool hd_listen_fds_lent(void);

/* hd_listen_fds_any - the inherited socket of a listener with that label and
 * address, whatever its port; of several listeners the first that none was
 * given of. -1: none. */
int hd_listen_fds_any(int sock_type, const union hd_addr *addr,
		      const char *label);

/* hd_listen_fds - the inherited socket of a type bound to addr, or -1; each is
 * given once, close-on-exec set. Source: sd_listen_fds(3). */
int hd_listen_fds(int sock_type, const union hd_addr *addr);
