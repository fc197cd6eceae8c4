/* SPDX-License-Identifier: MIT */
/* core/relay/away.h - keys that are at other relays and whose packets have
 * reached somebody here: PeerGone is owed when the last way to one goes.
 *
 *   here (core/relay/peer.c) <--logs in, leaves--> away --last way goes-->
 *   gone (core/relay/relay_gone.c), and back again by a new way
 *
 * Where no way is known (yet): wayless.h.
 *
 * Context: the key's home worker, where nothing else is said. */
#pragma once
#include "core/loop/worker.h"
#include "core/relay/relay_table.h"

struct hd_packet;
struct hd_xrecord;

/* For so long a pair that was noted needs no other note. */
#define HD_AWAY_SEEN_MS 1000

/* hd_away_stay - a key has left here, and is at another relay: nobody is told.
 * Returns false: it is at none, or owes nothing, or there is no memory. e is in
 * no table.
 * hd_away_back - its entry, if it has one; it is in the table of who is here
 * now. hd_away_came - it has one way more. hd_away_left - one less.
 * @said  its relay has said that it is not there; false: the link is lost
 * hd_away_forget - one less, which was not used: if it was the last one, nobody
 * can know any more when the key goes, unless a way comes again: wayless.h. */
bool hd_away_stay(struct hd_worker *w, struct hd_entry *e);
struct hd_entry *hd_away_back(struct hd_worker *w, uint64_t hash,
			      uint16_t realm, const struct hd_key *key);
void hd_away_came(struct hd_worker *w, uint64_t hash, uint16_t realm,
		  const struct hd_key *key);
void hd_away_left(struct hd_worker *w, uint16_t realm, const struct hd_key *key,
		  bool said);
void hd_away_forget(struct hd_worker *w, uint16_t realm,
		    const struct hd_key *key);

/* hd_away_brought - a forwarded packet reaches a receiver, of which this is the
 * entry. In its home.
 * hd_away_note - the same in the home of the source, which is x->dst.
 * hd_away_take - a packet of when it was here, of x->dst, has reached x->src.
 * Returns false: it is neither here nor away.
 * hd_away_told - the receiver has heard that the source has gone. In the home
 * of the receiver. */
void hd_away_brought(struct hd_worker *w, const struct hd_packet *packet,
		     struct hd_entry *to);
void hd_away_note(struct hd_worker *w, const struct hd_xrecord *x);
bool hd_away_take(struct hd_worker *w, const struct hd_xrecord *x);
void hd_away_told(struct hd_worker *w, uint16_t realm,
		  const struct hd_key *source, const struct hd_key *receiver);
