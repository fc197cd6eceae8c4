/* SPDX-License-Identifier: MIT */
/* core/relay/away.c - see away.h. Context: a worker. */
#include "core/relay/away.h"
#include "core/loop/xring.h"
#include "core/relay/peer.h"
#include "core/relay/relay_worker.h"
#include "core/relay/seen.h"
#include "core/relay/way.h"
#include "core/relay/wayless.h"

static bool has_way(const struct hd_worker *w, uint64_t hash, uint16_t realm,
		    const struct hd_key *key)
{
	return hd_way_find(&w->relay->ways, hash, realm, key) != NULL;
}

/* ---- in the home of the source ---- */

/* Of a link that is lost: away until the sweep comes to its way, which tells.
 * Returns NULL: it is nowhere, or there is no memory. */
static struct hd_entry *entry_of(struct hd_worker *w, uint64_t hash,
				 uint16_t realm, const struct hd_key *source)
{
	struct hd_relay *r = w->relay;
	struct hd_entry *e =
		hd_relay_table_find(&r->table, hash, realm, source);

	if (e == NULL)
		e = hd_relay_table_find(&r->away, hash, realm, source);
	if (e == NULL && has_way(w, hash, realm, source))
		e = hd_relay_table_add(&r->away, hash, realm, source);
	return e;
}

bool hd_away_stay(struct hd_worker *w, struct hd_entry *e)
{
	return e->to_notify.n > 0 && has_way(w, e->hash, e->realm, &e->key) &&
	       hd_relay_table_put(&w->relay->away, e) == 0;
}

struct hd_entry *hd_away_back(struct hd_worker *w, uint64_t hash,
			      uint16_t realm, const struct hd_key *key)
{
	struct hd_entry *e =
		hd_relay_table_find(&w->relay->away, hash, realm, key);

	if (e == NULL || hd_relay_table_put(&w->relay->table, e) < 0)
		return NULL;
	hd_relay_table_take(&w->relay->away, e);
	return e;
}

/* Who has not been told yet that it had gone has missed nothing. */
void hd_away_came(struct hd_worker *w, uint64_t hash, uint16_t realm,
		  const struct hd_key *key)
{
	struct hd_entry *e;

	hd_wayless_came(w, hash, realm);
	if (w->relay->gone.table.n > 0)
		hd_gone_back(w, &w->relay->away, hash, realm, key);
	if (!hd_wayless_has(w, hash, realm, key))
		return;
	e = entry_of(w, hash, realm, key);
	if (e != NULL)
		hd_wayless_join(w, e);
}

/* Returns its entry, in no table any more; NULL: it has none, or a way. */
static struct hd_entry *take_wayless(struct hd_worker *w, uint64_t hash,
				     uint16_t realm, const struct hd_key *key)
{
	struct hd_entry *e =
		hd_relay_table_find(&w->relay->away, hash, realm, key);

	if (e == NULL || has_way(w, hash, realm, key))
		return NULL;
	hd_relay_table_take(&w->relay->away, e);
	return e;
}

void hd_away_left(struct hd_worker *w, uint16_t realm, const struct hd_key *key,
		  bool said)
{
	struct hd_entry *e;
	uint64_t hash;

	if (!said && w->relay->away.n == 0)
		return;
	hash = hd_key_hash(realm, key);
	e = take_wayless(w, hash, realm, key);
	if (e != NULL)
		hd_gone_begin(w, &e);
	if (said && !has_way(w, hash, realm, key))
		hd_wayless_went(w, hash, realm);
}

void hd_away_forget(struct hd_worker *w, uint16_t realm,
		    const struct hd_key *key)
{
	struct hd_entry *e = NULL;

	if (w->relay->away.n > 0)
		e = take_wayless(w, hd_key_hash(realm, key), realm, key);
	if (e != NULL)
		hd_wayless_keep(w, &e);
}

/* Returns whether it is here, or a way leads to it. */
static bool note(struct hd_worker *w, uint64_t hash, uint16_t realm,
		 const struct hd_key *source, const struct hd_key *receiver)
{
	struct hd_entry *e = entry_of(w, hash, realm, source);

	if (e != NULL)
		hd_gone_note(w, e, receiver);
	return e != NULL;
}

bool hd_away_take(struct hd_worker *w, const struct hd_xrecord *x)
{
	return note(w, x->hash, x->realm, &x->dst, &x->src);
}

static void note_brought(struct hd_worker *w, uint64_t hash, uint16_t realm,
			 const struct hd_key *source,
			 const struct hd_key *receiver)
{
	if (!note(w, hash, realm, source, receiver))
		hd_wayless_note(w, hash, realm, source, receiver);
}

void hd_away_note(struct hd_worker *w, const struct hd_xrecord *x)
{
	note_brought(w, x->hash, x->realm, &x->dst, &x->src);
}

/* ---- in the home of the receiver ---- */

static int send_note(struct hd_worker *w, const struct hd_packet *packet)
{
	uint64_t source = hd_key_hash(packet->realm, packet->src);
	const struct hd_xrecord x = {
		.hash = source,
		.src = *packet->dst,
		.dst = *packet->src,
		.realm = packet->realm,
		.kind = HD_X_BROUGHT,
	};

	if (hd_key_home(source) != w->index)
		return hd_xring_put(w, hd_key_home(source), &x, NULL);
	note_brought(w, source, packet->realm, packet->src, packet->dst);
	return 0;
}

/* What its source owes of its last life comes first. A note that found no room
 * is made good by the next packet. */
void hd_away_brought(struct hd_worker *w, const struct hd_packet *packet,
		     struct hd_entry *to)
{
	struct hd_seen *seen;

	hd_gone_before(w, packet->realm, packet->src, packet->dst);
	seen = hd_seen_make(w, packet, to->hash);
	if ((seen == NULL || w->now_ms >= seen->until_ms) &&
	    send_note(w, packet) == 0 && seen != NULL)
		seen->until_ms = w->now_ms + HD_AWAY_SEEN_MS;
	if (seen == NULL)
		return;
	seen->to = to;
	seen->version = hd_seen_version(w);
}

void hd_away_told(struct hd_worker *w, uint16_t realm,
		  const struct hd_key *source, const struct hd_key *receiver)
{
	const struct hd_packet packet = { .src = source,
					  .dst = receiver,
					  .realm = realm };
	struct hd_seen *seen = hd_seen_find(w->relay, &packet);

	if (seen != NULL)
		seen->until_ms = 0;
}
