/* SPDX-License-Identifier: MIT */
/* tools/hdbench/pool.h - logs many peers in, some at a time. */
#pragma once
#include "tools/hdbench/peer.h"

struct pool {
	struct net *net;
	struct peer *peers; /* n; opened in this order */
	size_t n;
	size_t parallel; /* logins under way; ignored with a rate */
	double rate; /* logins started per second; 0: no schedule */
	/* a peer is up; it may be closed in here */
	void (*on_up)(void *arg, struct peer *p);
	void *arg;
	const char *what; /* for the progress line */
};

/* pool_peers - n peers that are not open yet. NULL: no memory. */
struct peer *pool_peers(size_t n);

/* pool_run - until all were up. Returns 0; -errno at the first that failed or
 * when nothing moved for 30 s; the peers are left as they are then. */
int pool_run(const struct pool *pool, struct hd_error *err);

/* pool_free - close all. */
void pool_free(struct peer **peers, size_t n);
