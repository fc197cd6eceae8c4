/* SPDX-License-Identifier: MIT */
/* modules/hd/signals.c - what one client's relay has to say to another's.
 *
 * In HD's own realm it is an urgent packet, which clients cannot send: kind(1)
 * body. With the bridge there are DERP's clients in the same realm, which can,
 * and relays in between that know DERP only. So there it looks like one of
 * Tailscale's path discovery, which all of them pass on at once, and says that
 * it is ours by a MAC under a key that relays of one operator share:
 *
 *   magic(6) mac(32) mark(24) kind(1) body
 *
 * Who replays one repeats what the same client had said to the same other one.
 * That of a packet to a group names nobody as the other one: it is the same for
 * all of them, and goes to them as one. So it names the time instead, and holds
 * for a minute, in this relay only: else who has been in a group once could say
 * so for ever, to all who allow it.
 * Context: a worker. */
#include <hyper-derp/derp.h>
#include <hyper-derp/derp_realms.h>
#include <hyper-derp/relay.h>
#include <hyper-derp/worker.h>
#include <string.h>
#include "modules/hd/hd.h"

#define MAC_AT DERP_DISCO_MAGIC_BYTES
#define MARK_AT (MAC_AT + HDP_BRIDGE_MAC_BYTES)
#define KIND_AT (MARK_AT + HDP_BRIDGE_MARK_BYTES)
_Static_assert(KIND_AT == HDP_BRIDGE_HEAD_BYTES, "it says where the kind is");
_Static_assert(KIND_AT >= DERP_DISCO_MIN_BYTES, "it looks like discovery");
_Static_assert(KIND_AT + 1 + HDP_SIGNAL_MAX_BYTES <= HD_PACKET_MAX_BYTES,
	       "the core takes it");

bool hdp_is_bridged(uint16_t realm)
{
	return hd_realm_name(realm)[0] == '\0';
}

bool hdp_is_shared(uint16_t realm)
{
	return hdp_is_bridged(hdp_relay->realm) && hdp_is_bridged(realm);
}

static const struct hd_key nobody;

static void mac_begin(crypto_generichash_state *hash, const struct hd_key *src,
		      const struct hd_key *dst, const uint8_t *kind, size_t n)
{
	crypto_generichash_init(hash, hdp_relay->bridging,
				sizeof(hdp_relay->bridging),
				HDP_BRIDGE_MAC_BYTES);
	crypto_generichash_update(hash, src->b, sizeof(src->b));
	crypto_generichash_update(hash, dst->b, sizeof(dst->b));
	crypto_generichash_update(hash, kind, n);
}

static uint64_t minute_of(const struct hd_worker *w)
{
	return hd_now_ms(w) / 60000;
}

/* @kind  of what has been hashed; @minute  only that of a group has one */
static void mac_end(uint8_t mac[HDP_BRIDGE_MAC_BYTES],
		    crypto_generichash_state hash, uint8_t kind,
		    uint64_t minute)
{
	if (kind == HDP_SIGNAL_GROUP)
		crypto_generichash_update(&hash, (const uint8_t *)&minute,
					  sizeof(minute));
	crypto_generichash_final(&hash, mac, HDP_BRIDGE_MAC_BYTES);
}

struct signal {
	uint8_t v[KIND_AT + 1 + HDP_SIGNAL_MAX_BYTES];
	const uint8_t *p; /* into v: it begins there */
	uint32_t n;
};

static void signal_make(struct signal *s, const struct hd_peer *from,
			const struct hd_key *to, enum hdp_signal kind,
			const void *body, uint32_t n)
{
	uint8_t *p = s->v + KIND_AT;
	crypto_generichash_state hash;

	hd_assert(n <= HDP_SIGNAL_MAX_BYTES);
	s->p = p;
	s->n = 1 + n;
	p[0] = (uint8_t)kind;
	if (n > 0)
		memcpy(p + 1, body, n);
	if (!hdp_is_bridged(hd_peer_login(from)->realm))
		return;
	memcpy(s->v, DERP_DISCO_MAGIC, DERP_DISCO_MAGIC_BYTES);
	mac_begin(&hash, hd_peer_key(from), to, p, s->n);
	mac_end(s->v + MAC_AT, hash, p[0],
		minute_of(hd_stream_worker(hd_peer_stream(from))));
	memcpy(s->v + MARK_AT, HDP_BRIDGE_MARK, HDP_BRIDGE_MARK_BYTES);
	s->p = s->v;
	s->n += KIND_AT;
}

void hdp_signal(struct hd_peer *from, const struct hd_key *to,
		enum hdp_signal kind, const void *body, uint32_t n)
{
	struct signal s;

	signal_make(&s, from, to, kind, body, n);
	hd_relay_send(from, to, true, s.p, s.n);
}

void hdp_signal_group(struct hd_peer *from, const struct hd_key *to,
		      size_t n_to, const void *body, uint32_t n)
{
	struct signal s;

	signal_make(&s, from, &nobody, HDP_SIGNAL_GROUP, body, n);
	hd_relay_send_all(from, to, n_to, true, s.p, s.n);
}

static bool has_mac(const struct hd_packet *packet,
		    const crypto_generichash_state *hash, uint64_t minute)
{
	uint8_t mac[HDP_BRIDGE_MAC_BYTES];

	mac_end(mac, *hash, packet->data[KIND_AT], minute);
	return sodium_memcmp(mac, packet->data + MAC_AT, sizeof(mac)) == 0;
}

/* The sender's worker may have read its clock after this one. */
static bool is_ours(const struct hd_worker *w, const struct hd_packet *packet)
{
	crypto_generichash_state hash;
	uint64_t minute = minute_of(w);
	bool to_group;

	if (!hdp_has_bridge_mark(packet->data, packet->len_bytes))
		return false;
	to_group = packet->data[KIND_AT] == HDP_SIGNAL_GROUP;
	mac_begin(&hash, packet->src, to_group ? &nobody : packet->dst,
		  packet->data + KIND_AT, packet->len_bytes - KIND_AT);
	return has_mac(packet, &hash, minute) ||
	       (to_group && (has_mac(packet, &hash, minute - 1) ||
			     has_mac(packet, &hash, minute + 1)));
}

bool hdp_signal_get(const struct hd_worker *w, const struct hd_packet *packet,
		    struct hdp_said *ret)
{
	uint32_t at = 0;

	if (!packet->urgent)
		return false;
	if (hdp_is_bridged(packet->realm)) {
		if (!is_ours(w, packet))
			return false;
		at = KIND_AT;
	}
	if (packet->len_bytes <= at)
		return false;
	ret->kind = packet->data[at];
	ret->body = packet->data + at + 1;
	ret->n = packet->len_bytes - at - 1;
	return true;
}
