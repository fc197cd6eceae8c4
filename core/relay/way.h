/* SPDX-License-Identifier: MIT */
/* core/relay/way.h - keys that are at other relays.
 *
 *   worker of a link              home of a key
 *   adds, takes away  --batch-->  way: key, link; the preferred one first
 *   forward()        <--packet--  nobody here has the key
 *
 * A link that goes says so in itself, where each home looks: from that moment
 * its ways count no more. They are freed by and by, some each turn.
 * Files: link.c links, way.c ways. Context: the worker that is named. */
#pragma once
#include <hyper-derp/link.h>
#include "core/loop/worker.h"
#include "core/relay/relay_table.h"
#include "core/stream/stream.h"

struct hd_way_batch;
struct tcp_info;

struct hd_link { /* made and changed in its worker; shared */
	struct hd_stream_user user; /* of its stream */
	char name[64];
	unsigned worker;
	uint32_t slot, gen; /* of its stream there */
	/* atomic: */
	bool down; /* its ways count no more */
	bool lost; /* a home had no memory for one: it has to close */
	bool quiet; /* when it goes, its keys have not gone */
	uint32_t refs; /* its stream's, those of batches and ways */
	uint32_t n_keys;
	/* what goes to each home when it is full, or at the end of the turn */
	struct hd_way_batch *batch[];
};

struct hd_way { /* holds the tenant of its realm */
	struct hd_way *next; /* in the same place; of one key the next best */
	struct hd_link *link;
	struct hd_key key;
	uint32_t hash; /* the upper half */
	uint16_t realm;
	bool used; /* since hd_link_used() asked last */
};

struct hd_ways { /* of a home */
	struct hd_way **v;
	uint32_t n, size;
	uint32_t went; /* ways that were taken out, ever */
	uint32_t at; /* places before it hold no way of a lost link */
	bool sweeping; /* the rest is gone through */
	bool again; /* one more was lost meanwhile */
};

enum { HD_WAY_BATCH = 128 };

struct hd_way_batch {
	struct hd_link *link;
	unsigned n;
	struct hd_way_change {
		struct hd_key key;
		uint16_t realm;
		bool add, quiet; /* quiet: it goes, and nobody is told */
	} v[HD_WAY_BATCH];
};

/* hd_link_put - one that holds it does so no more. Any thread. */
void hd_link_put(struct hd_link *link);
/* hd_link_unheard_in - what hd_link_unheard_ms() says of a connection. */
uint32_t hd_link_unheard_in(const struct tcp_info *about);
static inline bool hd_link_is_up(const struct hd_link *link)
{
	return !__atomic_load_n(&link->down, __ATOMIC_ACQUIRE);
}

static inline bool hd_link_is_quiet(const struct hd_link *link)
{
	return __atomic_load_n(&link->quiet, __ATOMIC_RELAXED);
}

/* ---- in the home of a key: way.c ---- */

/* hd_way_find - the link to a key; NULL: none that is up. hd_way_take - the
 * way, for a packet of a peer here; it counts as used.
 * hd_ways_take - takes the batch. hd_ways_sweep - a link has gone. Both for
 * hd_worker_post(). hd_ways_free - the worker has ended. */
struct hd_link *hd_way_find(const struct hd_ways *t, uint64_t hash,
			    uint16_t realm, const struct hd_key *key);
struct hd_way *hd_way_take(struct hd_ways *t, uint64_t hash, uint16_t realm,
			   const struct hd_key *key);
void hd_ways_take(struct hd_worker *w, void *batch, void *unused);
void hd_ways_sweep(struct hd_worker *w, void *unused, void *unused2);
void hd_ways_free(struct hd_ways *t);

/* ---- packets: link.c ---- */

/* hd_link_send - nobody here has the key: over a link. Returns false: there is
 * none. In the key's home.
 * @hash  of packet->dst
 * hd_link_send_by - the same, where the way is known.
 * hd_link_take - a packet for a link of this worker, from a home. */
struct hd_xrecord;
bool hd_link_send(struct hd_worker *w, const struct hd_packet *packet,
		  uint64_t hash);
void hd_link_send_by(struct hd_worker *w, struct hd_way *way,
		     const struct hd_packet *packet);
void hd_link_take(struct hd_worker *w, const struct hd_xrecord *x,
		  const uint8_t *data);
