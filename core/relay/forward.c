/* SPDX-License-Identifier: MIT */
/* core/relay/forward.c - packets that another relay brings, for keys that are
 * here: they never leave again.
 *
 *   hd_relay_forward() --its pair was seen lately (seen.h)--> delivered
 *     |  `--not so, or its receiver's home is here--> looked up --^
 *     `--to that home--> hd_forward_take(): the same again
 *
 * Context: a worker. */
#include "core/relay/astray.h"
#include "core/relay/away.h"
#include "core/relay/brought.h"
#include "core/relay/deliver.h"
#include "core/relay/seen.h"
#include "core/relay/xpacket.h"

/* In the home of the destination. */
static void take_forwarded(struct hd_worker *w, const struct hd_packet *packet,
			   uint64_t hash, uint32_t from)
{
	struct hd_entry *e = hd_relay_table_find(&w->relay->table, hash,
						 packet->realm, packet->dst);

	if (e == NULL) {
		hd_relay_drop(w, HD_DROP_UNKNOWN_FWD, packet, "");
		hd_astray_tell(w, packet, from);
		return;
	}
	hd_away_brought(w, packet, e);
	hd_deliver(w, e, packet);
}

static void forward_on(struct hd_worker *w, const struct hd_packet *packet,
		       uint64_t hash, uint32_t from)
{
	struct hd_xrecord x = hd_record_of(packet, hash, HD_X_FORWARDED);
	struct hd_seen *seen = hd_seen_make(w, packet, hash);

	x.from = from;
	if (seen != NULL)
		seen->until_ms = w->now_ms + HD_AWAY_SEEN_MS;
	if (hd_xring_put(w, hd_key_home(hash), &x, packet->data) < 0)
		hd_relay_drop(w, HD_DROP_XFER_FULL, packet, "");
}

static void forward_searched(struct hd_peer *link,
			     const struct hd_packet *packet,
			     const struct hd_seen *seen)
{
	struct hd_worker *w = link->stream->worker;
	uint64_t hash = seen != NULL && seen->hash != 0
				? seen->hash
				: hd_key_hash(packet->realm, packet->dst);

	if (hd_key_home(hash) == w->index)
		take_forwarded(w, packet, hash, hd_astray_from(link));
	else
		forward_on(w, packet, hash, hd_astray_from(link));
}

static void count(struct hd_worker *w, struct hd_peer *link,
		  const struct hd_packet *packet)
{
	hd_count(&w->stats.packets_in, 1);
	link->packets_in++;
	hd_account_add(link->stream->account, HD_ACCOUNT_PACKETS_IN, 1);
	HD_PROBE(packet_in, w->index, link->name.s, packet->src, packet->dst,
		 packet->len_bytes, packet->urgent);
}

static void take(struct hd_peer *link, const struct hd_packet *packet)
{
	struct hd_worker *w = link->stream->worker;
	const struct hd_seen *seen = hd_seen_find(w->relay, packet);

	count(w, link, packet);
	if (seen != NULL && hd_seen_is_good(w, seen))
		hd_deliver(w, seen->to, packet);
	else
		forward_searched(link, packet, seen);
}

void hd_relay_forward(struct hd_peer *link, const struct hd_key *src,
		      const struct hd_key *dst, bool urgent,
		      const uint8_t *data, uint32_t len_bytes)
{
	const struct hd_packet packet = {
		.src = src,
		.dst = dst,
		.data = data,
		.len_bytes = len_bytes,
		.realm = link->login.realm,
		.urgent = urgent,
		.forwarded = true,
	};

	if (link->entry != NULL) /* it is not closing */
		take(link, &packet);
}

void hd_relay_forward_in(struct hd_peer *link, const char *realm,
			 size_t realm_bytes, const struct hd_key *src,
			 const struct hd_key *dst, bool urgent,
			 const uint8_t *data, uint32_t len_bytes)
{
	struct hd_worker *w = link->stream->worker;
	struct hd_packet packet = {
		.src = src,
		.dst = dst,
		.data = data,
		.len_bytes = len_bytes,
		.urgent = urgent,
		.forwarded = true,
	};

	if (link->entry == NULL)
		return; /* it is closing */
	if (hd_brought_realm(link, realm, realm_bytes, &packet.realm) == 0) {
		take(link, &packet);
		return;
	}
	count(w, link, &packet);
	hd_relay_drop(w, HD_DROP_UNKNOWN_FWD, &packet, "");
}

void hd_forward_take(struct hd_worker *w, const struct hd_xrecord *x,
		     const uint8_t *data)
{
	const struct hd_packet packet = hd_packet_of(x, data);
	const struct hd_seen *seen = hd_seen_find(w->relay, &packet);

	if (seen != NULL && hd_seen_is_good(w, seen))
		hd_deliver(w, seen->to, &packet);
	else
		take_forwarded(w, &packet, x->hash, x->from);
}
