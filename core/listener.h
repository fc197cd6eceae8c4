/* SPDX-License-Identifier: MIT */
/* core/listener.h - TCP listeners: the bind check, LISTEN_FDS, one
 * SO_REUSEPORT socket per worker. Main thread. */
#pragma once
#include "core/conf.h"

struct hd_listener {
	const char *name; /* NULL: unnamed */
	bool tls;
	bool shared; /* inherited: one socket that all workers arm */
	int *fds; /* one per worker, or one when shared */
	unsigned n_fds;
	union hd_addr addr;
};

/* hd_listeners_open - bind every address for n workers. A port that somebody
 * else holds is refused: it is bound once without SO_REUSEPORT, closed, then
 * bound for real. Inherited sockets (hd_listen_fds) with the address are used.
 * Returns 0, or negative with "bind: Address already in use" and the remedy. */
int hd_listeners_open(const struct hd_conf *conf, unsigned n_workers,
		      struct hd_listener **ret, size_t *ret_n,
		      struct hd_error *err);
void hd_listeners_close(struct hd_listener **v, size_t *n);

/* hd_listen_fds - the inherited socket of a type bound to addr, or -1; each is
 * given once, close-on-exec set. Source: sd_listen_fds(3). */
int hd_listen_fds(int sock_type, const union hd_addr *addr);
