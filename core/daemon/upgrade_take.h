/* SPDX-License-Identifier: MIT */
/* core/daemon/upgrade_take.h - between upgrade_take.c and upgrade_stream.c. */
#pragma once
#include "core/daemon/upgrade.h"

struct hd_taking { /* what all workers look at */
	struct hd_take *t;
	size_t first; /* index of the first stream of these bytes */
	struct hd_snap_in *secret; /* by index, from the first on */
	uint64_t state[HD_MODULES_MAX]; /* the old one's, by our modules */
	struct hd_unpack_from modules;
	pthread_mutex_t lock;
	int error; /* the first that a worker has met; why: */
	struct hd_error why;
};

/* hd_taking_stream - one stream of the bytes, if its home is w. What cannot be
 * taken is refused, and the log says why. */
void hd_taking_stream(struct hd_taking *k, struct hd_worker *w,
		      struct hd_snap_in in);
/* hd_taking_back - streams of w that have come ahead and have changed since, or
 * have gone: they have not come. */
void hd_taking_back(struct hd_taking *k, struct hd_worker *w);
