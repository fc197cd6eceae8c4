/* SPDX-License-Identifier: MIT */
/* core/relay/relay.c - packets to keys.
 *
 * Everything about a key happens in its home worker. A packet starts in the
 * home of its source and is delivered in the home of its destination; between
 * two workers it travels through a ring of bytes and is dropped when that is
 * full. Its way, file by file:
 *
 *   daemon/turn.c       the next stream that has input
 *   stream/stream_rx.c  recv() into the worker's buffer, behind what was kept
 *   tls/tls.c           records.c and aead*.c open it; plain and kTLS need not
 *   modules/            data() finds a frame: hd_relay_send()
 *   relay/relay.c       hook_ask.h may deny it; the last receiver, or the table
 *   loop/xring.c        only to a key of another worker, which goes on here
 *   relay/link.c        only to a key that nobody here has; the way is kept
 *   relay/held.c        only to one that no link leads to: a module may find it
 *   modules/            deliver() frames it for the receiver's protocol
 *   stream/stream_tx.c  copies it into a lane, if stream_lane.c has room
 *   daemon/turn.c       at the end of the turn: the next stream with output
 *   stream/stream_tx.c  lets stream_seal.c and tls/ seal the lanes, then sends
 *   loop/ring_*.c       sendmsg(), or an entry of the ring: on_sent() ends it
 *
 * Context: a worker. */
#include <hyper-derp/worker.h>
#include <string.h>
#include "core/base/probes.h"
#include "core/relay/astray.h"
#include "core/relay/away.h"
#include "core/relay/deliver.h"
#include "core/relay/held.h"
#include "core/relay/hook_ask.h"
#include "core/relay/pairs.h"
#include "core/relay/peer.h"
#include "core/relay/relay_worker.h"
#include "core/relay/way.h"
#include "core/relay/xpacket.h"
#include "core/stream/stream_life.h"

unsigned hd_key_home(uint64_t hash)
{
	return (uint32_t)hash % hd_workers();
}

/* ---- packets ---- */

/* from: the sender's name, "" when it is another worker's. */
void hd_relay_drop(struct hd_worker *w, enum hd_drop why,
		   const struct hd_packet *packet, const char *from)
{
	hd_count(&w->stats.drops[why][packet->urgent], 1);
	HD_PROBE(drop, w->index, why, 1, packet->urgent, from, packet->dst);
}

static void send_remote(struct hd_peer *from, const struct hd_packet *packet,
			uint64_t hash)
{
	struct hd_worker *w = from->stream->worker;
	struct hd_xrecord x = hd_record_of(packet, hash, HD_X_PACKET);

	/* only who got a packet is told of the end */
	if (!from->last_to_notify)
		from->last_to_notify =
			hd_keyset_has(&from->entry->to_notify, packet->dst);
	x.first = !from->last_to_notify;
	if (hd_xring_put(w, hd_key_home(hash), &x, packet->data) < 0)
		hd_relay_drop(w, HD_DROP_XFER_FULL, packet, from->name.s);
}

static void send_found(struct hd_peer *from, const struct hd_packet *packet,
		       struct hd_entry *e)
{
	struct hd_worker *w = from->stream->worker;

	hd_gone_note(w, from->entry, packet->dst);
	from->last = e;
	from->last_way = NULL;
	from->last_version = w->relay->table.version;
	hd_deliver(w, e, packet);
}

/* Returns false: no link leads to it. */
static bool send_over(struct hd_peer *from, const struct hd_packet *packet,
		      uint64_t hash)
{
	struct hd_worker *w = from->stream->worker;
	struct hd_way *way =
		hd_way_take(&w->relay->ways, hash, packet->realm, packet->dst);

	if (way == NULL)
		return false;
	from->last = NULL;
	from->last_way = way;
	from->last_version = hd_ways_version(w->relay);
	hd_link_send_by(w, way, packet);
	return true;
}

static bool is_cached_way(const struct hd_peer *p, const struct hd_key *dst)
{
	return p->last_way != NULL &&
	       p->last_version == hd_ways_version(p->stream->worker->relay) &&
	       memcmp(&p->last_key, dst, sizeof(*dst)) == 0 &&
	       hd_link_is_up(p->last_way->link);
}

/* Of the key it sends to, which is the one it sent to last from here on: the
 * hash is most of a look-up. */
static uint64_t hash_of(struct hd_peer *from, const struct hd_packet *packet)
{
	if (from->last_hash != 0 &&
	    hd_key_same(&from->last_key, packet->dst))
		return from->last_hash;
	from->last = NULL;
	from->last_way = NULL;
	from->last_key = *packet->dst;
	from->last_hash = hd_key_hash(packet->realm, packet->dst);
	from->last_to_notify = false;
	return from->last_hash;
}

static void send_searched(struct hd_peer *from, const struct hd_packet *packet)
{
	struct hd_worker *w = from->stream->worker;
	struct hd_entry *e;
	uint64_t hash;

	if (is_cached_way(from, packet->dst)) {
		hd_link_send_by(w, from->last_way, packet);
		return;
	}
	hash = hash_of(from, packet);
	if (hd_key_home(hash) != w->index) {
		send_remote(from, packet, hash);
		return;
	}
	e = hd_relay_table_find(&w->relay->table, hash, packet->realm,
				packet->dst);
	if (e != NULL) {
		send_found(from, packet, e);
		return;
	}
	if (send_over(from, packet, hash) || hd_held_ask(w, packet, hash))
		return;
	hd_relay_drop(w, HD_DROP_UNKNOWN_DEST, packet, from->name.s);
	if (packet->urgent)
		hd_peer_not_here(from, packet->dst);
}

static bool denied(struct hd_worker *w, const struct hd_peer *from,
		   const struct hd_packet *packet)
{
	const struct hd_hook *h = hd_hooks_ask_packet(w, packet);

	if (__builtin_expect(h->packet == NULL, 1))
		return false;
	hd_account_add(hd_account_of(w, h->mod), HD_ACCOUNT_DENIED, 1);
	hd_relay_drop(w, HD_DROP_DENIED, packet, from->name.s);
	return true;
}

/* Counted, and asked about. A probe is one nop, but looks long to the compiler:
 * it would not inline. Returns whether it may go. */
__attribute__((always_inline)) static inline bool
begins(struct hd_peer *from, const struct hd_packet *packet)
{
	struct hd_worker *w = from->stream->worker;

	hd_count(&w->stats.packets_in, 1);
	from->packets_in++;
	hd_account_add(from->stream->account, HD_ACCOUNT_PACKETS_IN, 1);
	HD_PROBE(packet_in, w->index, from->name.s, packet->src, packet->dst,
		 packet->len_bytes, packet->urgent);
	if (__builtin_expect(w->hooks->packet.n > 0, 0) &&
	    denied(w, from, packet))
		return false;
	if (__builtin_expect(w->relay->pairs != NULL, 0))
		hd_pairs_count(w, packet);
	return true;
}

bool hd_relay_begins(struct hd_peer *from, const struct hd_packet *packet)
{
	return begins(from, packet);
}

static bool is_cached(const struct hd_peer *p, const struct hd_key *dst)
{
	return p->last != NULL &&
	       p->last_version == p->stream->worker->relay->table.version &&
	       memcmp(&p->last_key, dst, sizeof(*dst)) == 0;
}

void hd_relay_send(struct hd_peer *from, const struct hd_key *dst, bool urgent,
		   const uint8_t *data, uint32_t len_bytes)
{
	struct hd_worker *w = from->stream->worker;
	const struct hd_packet packet = {
		.src = &from->login.key,
		.dst = dst,
		.data = data,
		.len_bytes = len_bytes,
		.realm = from->login.realm,
		.urgent = urgent,
	};

	if (from->entry == NULL)
		return; /* it is closing */
	if (!begins(from, &packet))
		return;
	if (is_cached(from, dst))
		hd_deliver(w, from->last, &packet);
	else
		send_searched(from, &packet);
}

/* ---- from another worker ---- */

/* Best effort: when the ring is full the next packet asks again. */
static void answer(struct hd_worker *w, const struct hd_xrecord *x,
		   enum hd_xkind kind)
{
	uint64_t hash = hd_key_hash(x->realm, &x->src);
	struct hd_xrecord a = {
		.hash = hash,
		.src = x->dst,
		.dst = x->src,
		.realm = x->realm,
		.kind = (uint8_t)kind,
	};

	hd_xring_put(w, hd_key_home(hash), &a, NULL);
}

/* What it owed when it left before comes first. */
__attribute__((cold, noinline)) static void
take_first(struct hd_worker *w, const struct hd_xrecord *x, struct hd_entry *e,
	   const struct hd_packet *packet)
{
	hd_gone_before(w, x->realm, &x->src, &x->dst);
	hd_deliver(w, e, packet);
	answer(w, x, HD_X_DELIVERED);
}

/* Inline in both of its callers: it is most of a crossing packet's way here. */
__attribute__((always_inline)) static inline void
take_packet(struct hd_worker *w, const struct hd_xrecord *x,
	    const uint8_t *data)
{
	struct hd_entry *e = hd_relay_table_find(&w->relay->table, x->hash,
						 x->realm, &x->dst);
	const struct hd_packet packet = hd_packet_of(x, data);

	if (e != NULL) {
		if (x->first)
			take_first(w, x, e, &packet);
		else
			hd_deliver(w, e, &packet);
		return;
	}
	if (hd_link_send(w, &packet, x->hash) ||
	    hd_held_ask(w, &packet, x->hash))
		return;
	hd_relay_drop(w, HD_DROP_UNKNOWN_DEST, &packet, "");
	if (x->urgent)
		answer(w, x, HD_X_NOT_HERE);
}

__attribute__((noinline)) static void
take_fanout(struct hd_worker *w, const struct hd_xrecord *x,
	    const uint8_t *data)
{
	const struct hd_xmember *m = (const void *)data;
	const uint32_t n = x->n;
	struct hd_xrecord one = *x;

	one.kind = HD_X_PACKET;
	one.n = 0;
	one.len_bytes -= n * (uint32_t)sizeof(*m);
	for (uint32_t i = 0; i < n; i++) {
		one.hash = m[i].hash;
		one.dst = m[i].dst;
		one.first = m[i].first;
		take_packet(w, &one, data + n * sizeof(*m));
	}
}

static void take_delivered(struct hd_worker *w, const struct hd_xrecord *x,
			   struct hd_entry *e)
{
	if (e == NULL) { /* it has left meanwhile */
		if (!hd_away_take(w, x))
			hd_gone_owe(w, x->realm, &x->dst, &x->src);
		return;
	}
	/* whose end was to be told here was back when it got this one */
	hd_gone_before(w, x->realm, &x->src, &x->dst);
	hd_gone_note(w, e, &x->src);
}

static void take_answer(struct hd_worker *w, const struct hd_xrecord *x)
{
	struct hd_entry *e = hd_relay_table_find(&w->relay->table, x->hash,
						 x->realm, &x->dst);

	if (x->kind == HD_X_DELIVERED)
		take_delivered(w, x, e);
	else if (x->kind == HD_X_NOT_HERE && e != NULL)
		hd_peer_not_here(e->active, &x->src);
	else if (x->kind == HD_X_GONE && e != NULL)
		hd_gone_owe(w, x->realm, &x->src, &x->dst);
}

void hd_relay_take(struct hd_worker *w, const struct hd_xrecord *x,
		   const uint8_t *data)
{
	if (x->kind == HD_X_PACKET)
		take_packet(w, x, data);
	else if (x->kind == HD_X_FANOUT)
		take_fanout(w, x, data);
	else if (x->kind == HD_X_FORWARDED)
		hd_forward_take(w, x, data);
	else if (x->kind == HD_X_LINK)
		hd_link_take(w, x, data);
	else if (x->kind == HD_X_BROUGHT)
		hd_away_note(w, x);
	else if (x->kind == HD_X_ASTRAY)
		hd_astray_take(w, x);
	else
		take_answer(w, x);
}
