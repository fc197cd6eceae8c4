/* SPDX-License-Identifier: MIT */
/* core/relay/relay_worker.h - what a worker has of the relay: the keys whose
 * home it is. Context: the worker. */
#pragma once
#include "core/loop/worker.h"
#include "core/relay/relay_table.h"
#include "core/relay/way.h"

struct hd_debts;
struct hd_feed;
struct hd_held_queue;
struct hd_limits_worker;
struct hd_pairs;
struct hd_refused;
struct hd_seen_table;
struct hd_wayless;

struct hd_relay { /* w->relay */
	struct hd_relay_table table;
	struct hd_gone_queue gone; /* who has left and still owes PeerGone */
	struct hd_pairs *pairs; /* NULL: nobody asks */
	struct hd_feed *feeds; /* of watchers: core/relay/presence.h */
	struct hd_limits_worker *limits; /* NULL: nothing is shared */
	struct hd_debts *debts; /* of keys that have left; NULL: never any */
	struct hd_ways ways; /* keys at other relays */
	struct hd_relay_table away; /* those whose packets came here: away.h */
	struct hd_wayless *wayless; /* those that no way leads to; NULL: none */
	struct hd_seen_table *seen; /* NULL: no other relay has brought any */
	struct hd_held_queue *held; /* NULL: no packet has waited yet: held.h */
	struct hd_refused *refused; /* NULL: nobody was refused yet */
	bool here_later; /* nobody hears who is here: hd_held_later() */
	uint64_t slowest_move_us; /* the worker writes, others look */
};

/* hd_ways_version - changes when a way goes, and when a key comes here: what
 * was found among the ways is stale. */
static inline uint32_t hd_ways_version(const struct hd_relay *r)
{
	return r->ways.went + r->table.came; /* which both only grow */
}

/* hd_relay_new - the worker's, before it runs. Returns 0; -ENOMEM.
 * hd_relay_free - when no worker runs; what was never made, too. */
int hd_relay_new(struct hd_worker *w);
void hd_relay_free(struct hd_worker *w);
