/* SPDX-License-Identifier: MIT */
/* tools/hdbench/crew.h - threads that share the pairs and the rate, each with
 * sockets, buffers and a schedule of its own: nothing is shared while they run.
 * The first is the caller. */
#pragma once
#include "tools/hdbench/run.h"
#include <pthread.h>

struct hand { /* a thread's part */
	struct opts opts;
	struct net *net, own; /* the first has the caller's */
	struct traffic traffic;
	struct run_conf conf;
	struct run_result result;
	struct hd_error error;
	pthread_t thread;
	int r;
};

struct crew {
	const struct opts *opts;
	struct hand *hands;
	size_t n;
};

/* crew_open - log all pairs in.
 * crew_run - one run of all of them, and what came of it together.
 * Return 0; -errno of the first that failed. */
int crew_open(struct crew *c, struct net *net, struct hd_error *err);
int crew_run(struct crew *c, const struct run_conf *conf,
	     struct run_result *ret_result, struct hd_error *err);
void crew_close(struct crew *c);
