/* SPDX-License-Identifier: MIT */
/* core/relay/seen.h - pairs of keys whose packets other relays have brought
 * lately, so that most of those packets need no look-up. In the worker that
 * took the packet from its link it has the hash of the receiver; in the
 * receiver's home, too, who that is, and until when the home of the source
 * needs no note (away.h). A pair has two places. Who is there and has sent
 * lately keeps its own: of three pairs that share them one is looked up each
 * time, not all three.
 * Context: the worker. */
#pragma once
#include <hyper-derp/relay.h>
#include "core/relay/relay_worker.h"

enum {
	HD_SEEN_BITS = 9,
	HD_SEEN_SETS = 1 << HD_SEEN_BITS,
	HD_SEEN_WAYS = 2,
};

struct hd_seen {
	struct hd_key src, dst;
	struct hd_entry *to; /* dst's; NULL: its home is another worker */
	uint64_t hash; /* of dst; 0: nobody has the place */
	uint64_t until_ms; /* before, the source's home needs no note, and the
			      place is not given away */
	uint32_t version; /* hd_seen_version() when `to` was found */
	uint16_t realm;
};

struct hd_seen_table {
	uint64_t mix[2]; /* random, odd: nobody can mint pairs for one place */
	struct hd_seen v[HD_SEEN_SETS * HD_SEEN_WAYS];
};

static inline struct hd_seen *hd_seen_set(struct hd_seen_table *t,
					  const struct hd_packet *packet)
{
	uint64_t src, dst;

	memcpy(&src, packet->src, sizeof(src));
	memcpy(&dst, packet->dst, sizeof(dst));
	return &t->v[((src * t->mix[0] + dst * t->mix[1]) >>
		      (64 - HD_SEEN_BITS)) *
		     HD_SEEN_WAYS];
}

static inline bool hd_seen_is_of(const struct hd_seen *seen,
				 const struct hd_packet *packet)
{
	return hd_key_same(&seen->dst, packet->dst) &&
	       hd_key_same(&seen->src, packet->src) &&
	       seen->realm == packet->realm;
}

/* hd_seen_find - returns NULL: not lately. */
static inline struct hd_seen *hd_seen_find(const struct hd_relay *r,
					   const struct hd_packet *packet)
{
	struct hd_seen *seen;

	if (r->seen == NULL)
		return NULL;
	seen = hd_seen_set(r->seen, packet);
	if (hd_seen_is_of(seen, packet))
		return seen;
	return hd_seen_is_of(seen + 1, packet) ? seen + 1 : NULL;
}

/* hd_seen_version - changes when a key leaves, or somebody is owed the end of
 * one, which comes before its next packet. */
static inline uint32_t hd_seen_version(const struct hd_worker *w)
{
	return w->relay->table.version + w->relay->gone.began;
}

/* hd_seen_is_good - the packet goes to seen->to, and nothing else is due. */
static inline bool hd_seen_is_good(const struct hd_worker *w,
				   const struct hd_seen *seen)
{
	return seen->to != NULL &&
	       seen->version == hd_seen_version(w) &&
	       w->now_ms < seen->until_ms;
}

/* hd_seen_make - the same as hd_seen_find(), or a new one, which has no more
 * than the keys and the hash. Returns NULL: there is no memory, or no place.
 * @hash  of packet->dst */
struct hd_seen *hd_seen_make(struct hd_worker *w,
			     const struct hd_packet *packet, uint64_t hash);
