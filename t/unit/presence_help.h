/* SPDX-License-Identifier: MIT */
/* t/unit/presence_help.h - keys without sockets in real workers, and one who
 * watches them, with a socket and a protocol of one frame. Main thread. */
#pragma once
#include <hyper-derp/presence.h>
#include <hyper-derp/worker.h>
#include "core/net/listener.h"
#include "core/relay/peer.h"
#include "core/relay/presence.h"
#include "core/relay/relay_worker.h"
#include "core/relay/tenant.h"
#include "core/stream/stream_life.h"
#include "t/unit/unit.h"
#include "t/unit/workers.h"

enum {
	WORKERS = 2,
	KEYS = 10000,
	FLAPS = 100,
	FRAME = HD_KEY_BYTES + 200, /* 10,000 are more than the lane and the
				       kernel hold */
	WATCHED = 0, /* the realm */
	OTHER = 1,
	THIRD = 2, /* of a tenant, and of none */
	THIRD_KEYS = 200, /* of KEYS, the last */
};

struct fake {
	struct hd_stream s;
	struct hd_peer p;
	/* what the watcher has read */
	bool present, wrong;
	unsigned frames;
};
extern struct fake keys[KEYS], stranger;
extern struct hd_stream *watcher;
extern int far_fd; /* what it reads */

/* start, stop - the workers: setup, teardown of a group. watcher_make - setup.
 * make - a key. post - fn in its home: up or down. in_worker - returns what fn
 * says in the watcher's worker, when all else is done.
 * read_until - whole frames, until ok() or nothing has come for long.
 * as_they_are - all are told as they are. frames - how many since it was asked
 * last. */
int start(void **state);
int stop(void **state);
int watcher_make(void **state);
void make(struct fake *f, uint32_t nth, uint16_t realm);
void up(struct hd_worker *w, void *fake, void *unused);
void down(struct hd_worker *w, void *fake, void *unused);
void post(struct fake *f, hd_worker_fn *fn);
int in_worker(hd_worker_fn *fn);
void begin_watching(void);
void read_until(bool (*ok)(void));
bool as_they_are(void);
unsigned frames(void);
