/* SPDX-License-Identifier: MIT */
/* core/relay/relay_gone.c - who has left is told to those who got packets from
 * it.
 *
 *   here:     left --> owed: its receivers, some a turn --told--> forgotten
 *               ^        |
 *               `- back -'  who was not told yet has missed nothing
 *
 *   elsewhere: the home of a receiver, where it is owed until that one is told
 *
 * One key can owe 49,152 PeerGone, and a thousand keys can leave at once: so
 * each turn tells a few, and the rest waits. A PeerGone never comes behind a
 * packet of the key's next life: to another worker it goes in the same ring as
 * the packets, and where it waits there, the first packet tells it.
 * Context: a worker. */
#include <string.h>
#include "core/loop/xring.h"
#include "core/relay/away.h"
#include "core/relay/peer.h"
#include "core/relay/relay_worker.h"

enum {
	/* Each may be a send of its own at the end of the turn, 5 us or so. */
	NOTIFY_MAX = 256, /* a turn */
	LOOK_MAX = 32768, /* at places in sets, most of which may be empty */
	/* Sets have the same key in about the same place: a few places of each
	 * in turn, and a receiver gets what many owe it in one send. */
	BAND = 8,
};

static struct hd_gauge *owed_bytes(struct hd_worker *w)
{
	return &w->stats.gone_bytes;
}

static void forgotten(struct hd_worker *w, uint64_t n)
{
	hd_count(&w->stats.gone_forgotten, n);
}

void hd_gone_note(struct hd_worker *w, struct hd_entry *source,
		  const struct hd_key *receiver)
{
	int r = hd_keyset_add(&source->to_notify, receiver, owed_bytes(w));

	if (r < 0 || r == HD_KEYSET_INSTEAD)
		forgotten(w, 1);
}

/* ---- notifying ---- */

static void notify_here(struct hd_worker *w, uint16_t realm,
			const struct hd_key *source,
			const struct hd_key *receiver, uint64_t hash)
{
	struct hd_entry *e =
		hd_relay_table_find(&w->relay->table, hash, realm, receiver);

	hd_away_told(w, realm, source, receiver);
	if (e != NULL) /* nothing is owed to who has left */
		hd_keyset_remove(&e->to_notify, source);
	for (struct hd_peer *p = e ? e->active : NULL; p != NULL; p = p->next) {
		if (memcmp(&p->last_key, source, HD_KEY_BYTES) == 0)
			p->last_to_notify = false;
		hd_peer_notify_gone(p, source, HD_GONE_DISCONNECTED);
	}
}

/* Returns whether it is on its way. */
static bool notify(struct hd_worker *w, uint16_t realm,
		   const struct hd_key *source, const struct hd_key *receiver)
{
	uint64_t hash = hd_key_hash(realm, receiver);
	unsigned home = hd_key_home(hash);
	struct hd_xrecord x = {
		.hash = hash,
		.src = *source,
		.dst = *receiver,
		.realm = realm,
		.kind = HD_X_GONE,
	};

	if (home != w->index) /* packets come first */
		return hd_xring_has_room(w, home) &&
		       hd_xring_put(w, home, &x, NULL) == 0;
	notify_here(w, realm, source, receiver, hash);
	return true;
}

/* ---- who has left: first to last ---- */

static struct hd_entry *find(struct hd_worker *w, uint16_t realm,
			     const struct hd_key *source)
{
	if (w->relay->gone.table.n == 0)
		return NULL;
	return hd_relay_table_find(&w->relay->gone.table,
				   hd_key_hash(realm, source), realm, source);
}

void hd_gone_leave(struct hd_worker *w, struct hd_entry **entry)
{
	struct hd_entry *e = hd_steal(entry);

	hd_relay_table_take(&w->relay->table, e);
	if (!hd_away_stay(w, e))
		hd_gone_begin(w, &e);
}

void hd_gone_begin(struct hd_worker *w, struct hd_entry **entry)
{
	struct hd_entry *e = hd_steal(entry);

	w->relay->gone.began++;
	if (e->to_notify.n > 0 &&
	    hd_relay_table_put(&w->relay->gone.table, e) == 0) {
		hd_gone_queue_in(&w->relay->gone, e);
		return;
	}
	forgotten(w, e->to_notify.n); /* out of memory */
	hd_keyset_free(&e->to_notify, owed_bytes(w));
	hd_entry_free(&e);
}

struct hd_entry *hd_gone_back(struct hd_worker *w, struct hd_relay_table *to,
			      uint64_t hash, uint16_t realm,
			      const struct hd_key *key)
{
	struct hd_entry *e =
		hd_relay_table_find(&w->relay->gone.table, hash, realm, key);

	if (e == NULL || hd_relay_table_put(to, e) < 0)
		return NULL;
	hd_gone_queue_out(&w->relay->gone, e);
	e->gone_at = 0;
	hd_relay_table_take(&w->relay->gone.table, e);
	return e;
}

/* What cannot be kept is told at once, and if that cannot be, forgotten. */
void hd_gone_owe(struct hd_worker *w, uint16_t realm,
		 const struct hd_key *source, const struct hd_key *receiver)
{
	struct hd_entry *e = find(w, realm, source);

	w->relay->gone.began++;
	if (e == NULL) {
		e = hd_relay_table_add(&w->relay->gone.table,
				       hd_key_hash(realm, source), realm,
				       source);
		if (e != NULL)
			hd_gone_queue_in(&w->relay->gone, e);
	}
	if (e != NULL &&
	    hd_keyset_try(&e->to_notify, receiver, owed_bytes(w)) >= 0)
		return;
	if (!notify(w, realm, source, receiver))
		forgotten(w, 1);
}

void hd_gone_before(struct hd_worker *w, uint16_t realm,
		    const struct hd_key *source, const struct hd_key *receiver)
{
	struct hd_entry *e = find(w, realm, source);

	if (e == NULL || !hd_keyset_has(&e->to_notify, receiver))
		return;
	hd_keyset_remove(&e->to_notify, receiver);
	notify_here(w, realm, source, receiver, hd_key_hash(realm, receiver));
}

/* ---- a turn's share ---- */

/* It is the last now, or forgotten. When the set has been gone through, what
 * is left found no room in a ring. */
static void next_entry(struct hd_worker *w, struct hd_entry *e)
{
	hd_gone_queue_out(&w->relay->gone, e);
	if (e->gone_at >= e->to_notify.size)
		e->gone_at = 0;
	if (e->to_notify.n > 0) {
		hd_gone_queue_in(&w->relay->gone, e);
		return;
	}
	hd_relay_table_take(&w->relay->gone.table, e);
	hd_keyset_free(&e->to_notify, owed_bytes(w));
	hd_entry_free(&e);
}

/* Returns how many were told, or could not be now. */
static unsigned notify_band(struct hd_worker *w, struct hd_entry *e,
			    uint32_t *looks, unsigned most)
{
	struct hd_key receiver;
	unsigned n = 0;

	while (n < most &&
	       hd_keyset_next(&e->to_notify, &e->gone_at, looks, &receiver)) {
		n++;
		if (notify(w, e->realm, &e->key, &receiver))
			hd_keyset_remove(&e->to_notify, &receiver);
		else
			e->gone_at++;
	}
	return n;
}

bool hd_gone_run(struct hd_worker *w)
{
	uint32_t looks = LOOK_MAX;
	unsigned left = NOTIFY_MAX;

	while (left > 0 && looks > 0 && w->relay->gone.first != NULL) {
		struct hd_entry *e = w->relay->gone.first;
		uint32_t band = HD_MIN(looks, (uint32_t)BAND);

		looks -= band;
		left -= notify_band(w, e, &band, left);
		looks += band;
		next_entry(w, e);
	}
	return w->relay->gone.first != NULL;
}
