/* SPDX-License-Identifier: MIT */
/* core/loop/worker.h - a worker: one thread, one ring, its timers, its inbox.
 * Nothing in a worker blocks; nothing on the packet path allocates or locks. */
#pragma once
#include <hyper-derp/module.h>
#include "core/conf/conf.h"

struct hd_ring_ops;

/* What workers do in their turns: who is above says it, once for all of them.
 * In the worker, but for init and free: those in the main thread, while it does
 * not run. */
struct hd_worker_ops {
	/* init - of a zeroed worker. @arg  of hd_workers_args
	 * Returns 0; -errno. */
	int (*init)(struct hd_worker *w, const void *arg);
	/* begin - once, before its turns. Returns 0; negative with err. */
	int (*begin)(struct hd_worker *w, struct hd_error *err);
	/* turn - begins with hd_worker_wait(). */
	void (*turn)(struct hd_worker *w);
	/* end - no turn follows but those it makes; it shuts the inbox.
	 * @begun  whether begin() has succeeded */
	void (*end)(struct hd_worker *w, bool begun);
	/* free - when all have ended, whatever was begun of it. */
	void (*free)(struct hd_worker *w);
};

/* hd_workers_start - threads that turn. Main thread.
 * Returns when every worker has begun, or none has (err says why). Borrows conf
 * and the tables until hd_workers_stop(). */
struct hd_workers_args {
	const struct hd_conf *conf;
	const struct hd_ring_ops *ring_ops; /* of hd_ring_choose() */
	const struct hd_worker_ops *ops;
	const void *arg; /* given to init() */
	bool parked; /* no turn before hd_workers_unpark() */
};
int hd_workers_start(const struct hd_workers_args *args, struct hd_error *err);

/* hd_workers_stop - they end, and are joined. From then on posts are refused.
 * hd_workers_free - when nobody posts any more: modules have unloaded. */
void hd_workers_stop(void);
void hd_workers_free(void);

/* hd_workers_run_all - run fn in every worker; returns after the last one has.
 * So every worker has ended the turn it was in. Main thread. */
typedef void hd_run_fn(struct hd_worker *w, void *arg);
void hd_workers_run_all(hd_run_fn *fn, void *arg);
/* hd_workers_quiesce - the same, for nothing else; at once while they are
 * parked or do not run. */
void hd_workers_quiesce(void);

/* hd_workers_park - every worker waits between two turns, until
 * hd_workers_unpark(), which runs fn (may be NULL) in each before it goes on.
 * hd_workers_run_parked - meanwhile: run fn in each, returns after the last.
 * Main thread; core/loop/workers_park.c.
 * Returns 0; -ENOMEM, then all of them run. */
int hd_workers_park(void);
void hd_workers_run_parked(hd_run_fn *fn, void *arg);
void hd_workers_unpark(hd_run_fn *fn, void *arg);

/* hd_workers_wanted - how many threads a configuration asks for. */
unsigned hd_workers_wanted(const struct hd_conf *conf);

/* hd_worker_post - run fn(w, a, b) in worker w, soon, in order. Any thread. */
typedef void hd_worker_fn(struct hd_worker *w, void *a, void *b);
int hd_worker_post(struct hd_worker *w, hd_worker_fn *fn, void *a, void *b);

/* ---- inside: for the core's own files ---- */

#include <hyper-derp/task.h>
#include <hyper-derp/timer.h>
#include <pthread.h>
#include "core/base/heap.h"
#include "core/loop/pace.h"
#include "core/loop/ring.h"
#include "core/loop/stats.h"
#include "core/loop/worker_module.h"

struct hd_streams;
struct hd_udps;
struct hd_xring;
struct hd_post;
struct hd_hooks;
struct hd_relay;

/* What one read may bring, of who has a limit or for whom there is less room a
 * part; an unfinished frame (at most a ClientInfo of 256 KiB) stands before it
 * in the plaintext buffer. */
#define HD_READ_BYTES (128 * 1024)
#define HD_READ_PART_BYTES (64 * 1024)
#define HD_PLAIN_BYTES (576 * 1024)
#define HD_KEPT_MAX_BYTES (HD_PLAIN_BYTES - HD_READ_BYTES) /* of that frame */

struct hd_inbox { /* from any thread; the lock is held for a few stores */
	pthread_mutex_t lock;
	struct hd_post *first, *last;
	struct hd_post *taken; /* the worker only: about to run */
	bool shut; /* the worker takes no more */
};

struct hd_worker {
	unsigned index;
	const struct hd_worker_ops *ops;
	pthread_t thread;
	struct hd_ring *ring;
	const struct hd_ring_ops *ring_ops;
	uint64_t now_ms, now_ns; /* of the turn */
	struct hd_pace pace;
	const struct hd_conf *conf;
	const struct hd_hooks *hooks;
	struct hd_worker_module mods[HD_MODULES_MAX];
	bool serving; /* atomic: others show it */
	bool stopping;
	struct hd_park *park; /* wait there at the end of this turn */
	const struct hd_module *reloading; /* its UDP sockets stay open */
	bool sent; /* sends ended unseen: look before long */
	bool more; /* listeners or UDP sockets have more input */
	/* waking */
	int wake_fd;
	int asleep; /* atomic: nobody looks at the inbox */
	struct hd_inbox inbox;
	struct hd_xring **from; /* packets of other workers, by index */
	struct hd_xring **to;
	/* rings to others that fill up, HD_XBIT() of each; those that the read
	 * under way has fed; those that streams wait for; bytes in the fullest,
	 * or some more */
	uint64_t xfull, xfed, xawaited;
	uint32_t xused;
	uint8_t *plain; /* HD_PLAIN_BYTES: what is received, in the cache */
	struct hd_streams *streams; /* core/stream/stream_worker.h */
	struct hd_heap module_timers;
	struct hd_udps *udps; /* core/net/udp.h */
	struct hd_relay *relay; /* core/relay/relay_worker.h */
	struct hd_stats stats;
	struct hd_account core_account; /* what no module has to do with */
	struct hd_meter meter;
	struct hd_answer *answers; /* HTTP bodies under way */
	struct hd_worker_boot *boot; /* while starting */
};

/* hd_account_of - a module's in this worker; mod may be NULL. */
static inline struct hd_account *hd_account_of(struct hd_worker *w,
					       const struct hd_module *mod)
{
	return mod != NULL ? &w->mods[mod->index].account : &w->core_account;
}

/* hd_worker_park - in the worker: wait until all may go on.
 * hd_park_first - before it runs: do so before the first turn.
 * hd_workers_wait_parked - until all that were told have. Main thread. */
void hd_worker_park(struct hd_worker *w);
void hd_park_first(struct hd_worker *w);
void hd_workers_wait_parked(void);
/* hd_worker_wake - after something was put where only the worker looks. */
void hd_worker_wake(struct hd_worker *w);
