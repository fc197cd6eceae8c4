/* SPDX-License-Identifier: MIT */
/* core/stream/share.h - how much is read of many keys together: of a tenant, of
 * the whole relay.
 *
 * A fund is what they have, in all workers. A share is a worker's part of it:
 * it takes a slice out of the fund, spends it read by read, and comes back when
 * that is used up; so the fund's line of the cache is not on a packet's way.
 * What the slices of all workers hold is 20 ms of the rate. Readers have leases
 * out of a slice: for as long, and no more than a slice in that time; so what
 * many were leased and did not read is not there at once.
 *
 * When a fund is empty, who reads waits in its share, in the order of what each
 * key has had: who has had least is first. Then each share takes what comes in
 * in proportion to how many wait in it, so that a key gets the same in a worker
 * where it is alone as in a crowded one.
 *
 * The clock is the caller's. Context: the worker; a fund: any thread. */
#pragma once
#include "core/base/bucket.h"
#include "core/base/heap.h"

struct hd_fund { /* atomic, all of it; in lines of its own */
	struct hd_pool pool;
	uint64_t per_s, burst; /* bytes; 0: no limit; the default */
	uint32_t packet_bytes; /* what a packet costs beside its bytes */
	uint32_t waiting; /* readers in all workers, as their shares said */
};

struct hd_share {
	struct hd_fund *fund;
	unsigned n_workers;
	/* as the fund had it when it was asked last */
	struct hd_rate rate;
	uint64_t per_s, burst;
	uint32_t packet_bytes;
	int64_t balance; /* bytes that may be read; below 0: owed */
	uint64_t leases_end_ns; /* until then these two are counted */
	uint64_t leased, repaid; /* bytes */
	uint64_t had; /* by whoever waits and has had least */
	struct hd_heap waiting;
	uint32_t said; /* of them, to the fund */
	uint64_t income_ns; /* until when it has been taken */
	double income; /* bytes of it below one */
};

struct hd_claim { /* somebody who reads; in one share at most */
	struct hd_heap_node node; /* by what it has had */
	uint64_t reads; /* bytes, at the last time */
};

/* hd_fund_set - Any thread. */
void hd_fund_set(struct hd_fund *fund, uint64_t per_s, uint64_t burst,
		 uint32_t packet_bytes);
bool hd_fund_has_limit(const struct hd_fund *fund);

/* hd_share_init - of a zeroed one. hd_share_look - its fund may have another
 * limit: it counts from the next slice on, or when it is looked at.
 * hd_share_end - nobody waits in it. */
void hd_share_init(struct hd_share *s, struct hd_fund *fund, unsigned n_workers,
		   uint64_t now_ns);
void hd_share_look(struct hd_share *s);
void hd_share_end(struct hd_share *s);

/* hd_share_is_dry - whether who reads has to wait.
 * hd_share_spend - somebody has read so much. Returns whether its slice is used
 * up: then hd_share_charge() is due. */
static inline bool hd_share_is_dry(const struct hd_share *s)
{
	return s->balance < 0;
}
static inline bool hd_share_spend(struct hd_share *s, uint64_t bytes,
				  uint64_t packets)
{
	s->balance -= (int64_t)(bytes + packets * s->packet_bytes);
	return s->balance < 0;
}
/* hd_share_spare - what somebody who reads may have beforehand for
 * HD_SHARE_LEASE_MS: a part of what is there, while nobody waits.
 * hd_share_prepay - it has so much. hd_share_repay - it gives that back; more
 * than a slice, in that time or in all, is lost. */
enum { HD_SHARE_LEASE_MS = 20 };
uint64_t hd_share_spare(struct hd_share *s, uint64_t now_ns);
static inline void hd_share_prepay(struct hd_share *s, uint64_t bytes)
{
	s->balance -= (int64_t)bytes;
	s->leased += bytes;
}
void hd_share_repay(struct hd_share *s, uint64_t bytes, uint64_t now_ns);
/* hd_share_charge - who has spent it, after one read or several; and another
 * slice, if one is needed and there is one. @had  its key's, of this share
 * Returns whether it has to wait before it reads on. */
bool hd_share_charge(struct hd_share *s, uint64_t *had, uint64_t bytes,
		     uint64_t packets, uint64_t now_ns);
/* hd_share_wait - until hd_share_next() gives it back. Returns how soon, in ms,
 * hd_share_tick() is due; 0: out of memory, it need not wait.
 * hd_share_leave - it waits no more; nothing, if it did not. */
uint64_t hd_share_wait(struct hd_share *s, struct hd_claim *c, uint64_t had,
		       uint64_t now_ns);
void hd_share_leave(struct hd_share *s, struct hd_claim *c);

/* hd_share_tick - take what has come in since. Then hd_share_next() for each
 * that may read, until NULL.
 * @left  what those may read who are given back; its own to begin with
 * hd_share_due_ms - when the next tick is due; 0: never, nobody waits. */
void hd_share_tick(struct hd_share *s, int64_t *left, uint64_t now_ns);
struct hd_claim *hd_share_next(struct hd_share *s, int64_t *left);
uint64_t hd_share_due_ms(const struct hd_share *s);
