/* SPDX-License-Identifier: MIT */
/* t/unit/fake_relay.h - two real workers, peers without sockets, and links to
 * other relays, for tests of what goes between them. Each call comes back when
 * all workers have done what follows from it. */
#pragma once
#include <hyper-derp/link.h>
#include "t/unit/unit.h"
#include "core/relay/peer.h"
#include "core/relay/relay_worker.h"
#include "t/unit/workers.h"

enum { WORKERS = 2, REALM = 0, OTHER = 1 };

struct fake { /* a peer */
	struct hd_stream s;
	struct hd_peer p;
	unsigned got, gone, not_here; /* what it has been told */
	unsigned gone_then; /* gone, when it got the last packet */
};

struct far { /* a link */
	struct hd_stream *s;
	struct hd_worker *w;
	int fd;
	unsigned got;
	struct hd_key src, dst; /* of the last */
};

/* wait_until - ok(), however long this machine takes. */
void wait_until(bool (*ok)(void));
void settle(void);
void in_worker(struct hd_worker *w, hd_worker_fn *fn, void *a, void *b);

/* key_of - one whose home is a certain worker. */
/* relay_start, relay_stop - the workers, for cmocka_run_group_tests(). */
int relay_start(void **state);
int relay_stop(void **state);

struct hd_key random_key(void);
struct hd_key key_of(unsigned home);

void peer_make(struct fake *f, const struct hd_key *key, uint16_t realm);
void peer_up(struct fake *f);
void peer_down(struct fake *f);
void peer_says(struct fake *from, const struct hd_key *dst);
void peer_urges(struct fake *from, const struct hd_key *dst);
/* relay_brings - f is another relay that has logged in. */
void relay_brings(struct fake *f, const struct hd_key *src,
		  const struct hd_key *dst);

void link_make(struct far *far, unsigned worker);
void link_close(struct far *far);
void link_add(struct far *far, struct hd_key *key);
void link_del(struct far *far, struct hd_key *key);
void link_forget(struct far *far, struct hd_key *key); /* NULL: all */
/* link_used - hd_link_used(), in the key's home. */
bool link_used(const struct hd_key *key);

/* In all workers. */
uint64_t drops_of(enum hd_drop why);
unsigned ways_n(void);
unsigned away_n(void);
bool ways_none(void);
