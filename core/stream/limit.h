/* SPDX-License-Identifier: MIT */
/* core/stream/limit.h - how much is read: of one key, that is of all its
 * connections together, which are in one worker; and of many keys together, by
 * shares. The relay says who has which limits; a stream without any pays one
 * branch a read, and one with limits that are far away little more: it may read
 * so much before its key and its shares are charged.
 * Context: the key's home worker. */
#pragma once
#include "core/loop/worker.h"
#include "core/stream/share.h"
#include "core/stream/stream.h"

enum hd_shared { HD_SHARED_TENANT, HD_SHARED_RELAY, HD_SHARED_N };

struct hd_limit { /* of a key */
	struct hd_rate rate; /* bytes; unit_ns 0: none of its own */
	uint64_t per_s, burst; /* what rate was made of */
	uint32_t packet_bytes; /* what a packet costs beside its bytes */
	struct hd_bucket bucket;
	uint64_t leased; /* bytes of what may come at once, to its streams */
	uint64_t had[HD_SHARED_N]; /* out of these shares */
};

struct hd_pool_share { /* a share that wakes up who waits in it */
	struct hd_share share;
	enum hd_shared which;
	const char *name; /* of the tenant; NULL: the relay */
	struct hd_worker *worker;
	struct hd_timer *tick;
	bool ticks; /* the timer is set */
	uint64_t told_ms; /* when the log was told last */
};

struct hd_throttle { /* of a stream */
	struct hd_stream *stream;
	struct hd_limit *key;
	struct hd_pool_share *shared[HD_SHARED_N]; /* NULL: no such limit */
	struct hd_claim claim; /* in shared[at], while it waits there */
	uint8_t at;
	bool pays; /* HD_DEADLINE_PAUSE is the key's */
	uint64_t waits_ns; /* for its key, since it has read; 0: not */
	int64_t lease; /* bytes that may be read before anybody is charged */
	uint64_t lease_ends_ns; /* what is read after that is charged */
	uint64_t leased; /* so much that was at first, of its key's */
	uint64_t prepaid; /* the same, of what its shares had */
	uint32_t packet_bytes; /* a packet's cost: the highest of all limits */
	uint64_t bytes, packets; /* that it was not charged for yet */
	uint64_t kept; /* bytes that came behind its login, the same */
};

/* hd_throttle_set - from now on this is what counts for the stream; who waits
 * for what is no limit any more goes on soon. Returns 0; -ENOMEM, nothing has
 * changed. hd_throttle_free - nothing counts any more; NULL is allowed. */
int hd_throttle_set(struct hd_stream *s, struct hd_limit *key,
		    struct hd_pool_share *const shared[HD_SHARED_N]);
void hd_throttle_free(struct hd_stream *s);

/* hd_throttle_unpaid_ms - how long its key has to wait; 0: not.
 * hd_throttle_charge - so much was read; reading may pause.
 * hd_throttle_settle - the same, when a lease is used up, or old: who had one
 * and was silent has no more at once than who had none.
 * hd_throttle_stops - before a read: its key owes, by what its other
 * connections have read, and it pauses; or closes, if its client has gone and
 * it has waited already.
 * hd_throttle_holds - a pause has passed: it begins to wait, or waits, for
 * others. */
uint64_t hd_throttle_unpaid_ms(const struct hd_stream *s);
void hd_throttle_settle(struct hd_stream *s, uint64_t bytes);
bool hd_throttle_holds(struct hd_stream *s);
bool hd_throttle_owes(struct hd_stream *s);

static inline bool hd_throttle_stops(struct hd_stream *s)
{
	return s->throttle->lease <= 0 && hd_throttle_owes(s);
}

static inline void hd_throttle_charge(struct hd_stream *s, uint64_t bytes,
				      uint64_t packets)
{
	struct hd_throttle *t = s->throttle;

	t->bytes += bytes;
	t->packets += packets;
	t->lease -= (int64_t)(bytes + packets * t->packet_bytes);
	if (__builtin_expect(t->lease < 0 ||
				     s->worker->now_ns >= t->lease_ends_ns,
			     0))
		hd_throttle_settle(s, bytes);
}

/* hd_pool_share_new - Returns NULL when out of memory. hd_pool_share_free -
 * nobody waits in it. NULL is allowed. */
struct hd_pool_share *hd_pool_share_new(struct hd_worker *w,
					struct hd_fund *fund,
					enum hd_shared which, const char *name);
void hd_pool_share_free(struct hd_pool_share **share);
