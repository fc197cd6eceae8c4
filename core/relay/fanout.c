/* SPDX-License-Identifier: MIT */
/* core/relay/fanout.c - one packet to many keys.
 *
 * Here each gets it at once. To another worker it goes in one record, which has
 * the packet and whose it is there: the ring holds no more than sixteen copies
 * of 16 KiB.
 *
 * Between two workers, and here, it stays in order with packets to one key.
 * Context: the sender's worker. */
#include "core/base/key.h"
#include "core/relay/deliver.h"
#include "core/relay/held.h"
#include "core/relay/peer.h"
#include "core/relay/relay_worker.h"
#include "core/relay/way.h"
#include "core/relay/xpacket.h"

#define MEMBERS_MAX 256 /* of a record: 12 KiB */

struct fanout {
	struct hd_peer *from;
	struct hd_packet packet; /* dst: of the one that is looked at */
	struct hd_xmember v[MEMBERS_MAX]; /* who is at other workers */
	unsigned n;
};

static void give_here(struct fanout *f, uint64_t hash)
{
	struct hd_worker *w = f->from->stream->worker;
	struct hd_entry *e = hd_relay_table_find(
		&w->relay->table, hash, f->packet.realm, f->packet.dst);

	if (e != NULL) {
		hd_gone_note(w, f->from->entry, f->packet.dst);
		hd_deliver(w, e, &f->packet);
		return;
	}
	if (hd_link_send(w, &f->packet, hash) ||
	    hd_held_ask(w, &f->packet, hash))
		return;
	hd_relay_drop(w, HD_DROP_UNKNOWN_DEST, &f->packet, f->from->name.s);
	if (f->packet.urgent)
		hd_peer_not_here(f->from, f->packet.dst);
}

/* ---- to other workers ---- */

static void drop(const struct fanout *f, const struct hd_xmember *v, unsigned n)
{
	struct hd_packet packet = f->packet;

	for (unsigned i = 0; i < n; i++) {
		packet.dst = &v[i].dst;
		hd_relay_drop(f->from->stream->worker, HD_DROP_XFER_FULL,
			      &packet, f->from->name.s);
	}
}

static void put(const struct fanout *f, unsigned worker,
		const struct hd_xmember *v, unsigned n)
{
	struct hd_xrecord x = hd_record_of(&f->packet, 0, HD_X_FANOUT);

	x.n = n;
	x.len_bytes += n * (uint32_t)sizeof(*v);
	if (hd_xring_put_members(f->from->stream->worker, worker, &x, v,
				 f->packet.data) < 0)
		drop(f, v, n);
}

/* Those of one worker come to the front: returns how many, of n. */
static unsigned gather(struct hd_xmember *v, unsigned n, unsigned worker)
{
	unsigned first = 0;

	for (unsigned i = 0; i < n; i++) {
		struct hd_xmember here = v[i];

		if (hd_key_home(here.hash) != worker)
			continue;
		v[i] = v[first];
		v[first++] = here;
	}
	return first;
}

static void flush(struct fanout *f)
{
	unsigned done = 0;

	while (done < f->n) {
		unsigned worker = hd_key_home(f->v[done].hash);
		unsigned n = gather(f->v + done, f->n - done, worker);

		put(f, worker, f->v + done, n);
		done += n;
	}
	f->n = 0;
}

static void give(struct fanout *f)
{
	const struct hd_key *dst = f->packet.dst;
	uint64_t hash = hd_key_hash(f->packet.realm, dst);

	if (!hd_relay_begins(f->from, &f->packet))
		return;
	if (hd_key_home(hash) == f->from->stream->worker->index) {
		give_here(f, hash);
		return;
	}
	if (f->n == MEMBERS_MAX)
		flush(f);
	f->v[f->n++] = (struct hd_xmember){
		.hash = hash,
		.dst = *dst,
		/* only who got a packet is told of the end */
		.first = !hd_keyset_has(&f->from->entry->to_notify, dst),
	};
}

void hd_relay_send_all(struct hd_peer *from, const struct hd_key *dst, size_t n,
		       bool urgent, const uint8_t *data, uint32_t len_bytes)
{
	struct fanout f = {
		.from = from,
		.packet = { .src = &from->login.key,
			    .data = data,
			    .len_bytes = len_bytes,
			    .realm = from->login.realm,
			    .urgent = urgent },
	};

	if (from->entry == NULL)
		return; /* it is closing */
	for (size_t i = 0; i < n; i++) {
		f.packet.dst = &dst[i];
		give(&f);
	}
	if (f.n > 0) {
		f.packet.dst = &f.v[0].dst; /* record_of() wants one */
		flush(&f);
	}
}
