/* SPDX-License-Identifier: MIT */
/* hyper-derp/derp_realms.h - frames between relays of ours, for the realms that
 * DERP does not know: one encoder for modules and tests. Header only.
 *
 *   dialled by                   the relay
 *     ClientInfo, "hyperDerpRealms": true -->
 *                              <-- Realms, those that it serves
 *     Realms, those that we serve -->
 *                              <-- RealmPresent, RealmGone: of realms of both
 *     RealmForward -->
 *
 * Who has not said so in ClientInfo never sees one of these frames.
 * doc/reference/protocol-derp.md has them. */
#pragma once
#include <hyper-derp/derp.h>
#include <hyper-derp/relay.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Far above those that Tailscale has. A realm is a byte with a length, and the
 * text of hd_realm_text(). */
enum derp_realms_type {
	DERP_REALMS = 0x70, /* realms without tenants, one behind the other */
	DERP_REALM_PRESENT = 0x71, /* 32 key, realm */
	DERP_REALM_GONE = 0x72, /* the same */
	DERP_REALM_FORWARD = 0x73, /* 32 source, 32 destination, 1 flags, realm,
				      packet */
};

/* derp_realm_flags - of RealmForward: what a protocol has said of a packet. */
enum derp_realm_flags { DERP_REALM_URGENT = 1 };

/* Lengths are those of a payload, without header. */
#define DERP_REALM_TEXT_MAX_BYTES (HD_REALM_TEXT_BYTES - 1)
#define DERP_REALM_MAX_BYTES (1 + DERP_REALM_TEXT_MAX_BYTES)
#define DERP_REALMS_N 32
#define DERP_REALMS_MAX_BYTES (DERP_REALMS_N * DERP_REALM_MAX_BYTES)
#define DERP_REALM_KEY_MAX_BYTES (HD_KEY_BYTES + DERP_REALM_MAX_BYTES)
#define DERP_REALM_FORWARD_REALM_AT (2 * HD_KEY_BYTES + 1)
#define DERP_REALM_FORWARD_MIN_BYTES (DERP_REALM_FORWARD_REALM_AT + 1)
#define DERP_REALM_FORWARD_MAX_BYTES                                           \
	(DERP_REALM_FORWARD_REALM_AT + DERP_REALM_MAX_BYTES +                  \
	 DERP_PACKET_MAX_BYTES)

struct derp_realm { /* borrowed from the frame */
	const char *text;
	uint8_t len_bytes;
};

/* derp_realm_get - the realm at the front of n bytes. Returns how many of them
 * it takes; 0: it is cut off, or too long. */
static inline uint32_t derp_realm_get(const uint8_t *p, uint32_t n,
				      struct derp_realm *ret)
{
	if (n < 1 || p[0] > DERP_REALM_TEXT_MAX_BYTES || n - 1 < p[0])
		return 0;
	ret->len_bytes = p[0];
	ret->text = (const char *)p + 1;
	return 1u + p[0];
}

/* derp_realm_put - returns the byte behind it. */
static inline uint8_t *derp_realm_put(uint8_t *p, const char *text)
{
	uint8_t n = (uint8_t)strnlen(text, DERP_REALM_TEXT_MAX_BYTES);

	*p = n;
	memcpy(p + 1, text, n);
	return p + 1 + n;
}

/* derp_realms_put - a whole frame with the realms of this relay: at most
 * DERP_HEADER_BYTES + DERP_REALMS_MAX_BYTES. Returns the byte behind it. */
static inline uint8_t *derp_realms_put(uint8_t *frame)
{
	uint8_t *begin = frame + DERP_HEADER_BYTES, *p = begin;

	for (unsigned i = 0; i < hd_realms_n() && i < DERP_REALMS_N; i++)
		p = derp_realm_put(p, hd_realm_name((uint16_t)i));
	derp_header_put(frame, (enum derp_type)DERP_REALMS,
			(uint32_t)(p - begin));
	return p;
}

/* derp_realms_get - those in a Realms frame that this relay serves, too:
 * 1 << hd_realm() of each. What cannot be read ends it. */
static inline uint32_t derp_realms_get(const uint8_t *p, uint32_t n)
{
	struct derp_realm realm;
	uint32_t used, ret = 0;

	for (; (used = derp_realm_get(p, n, &realm)) > 0; p += used, n -= used)
		for (unsigned i = 0; i < hd_realms_n(); i++)
			if (strlen(hd_realm_name((uint16_t)i)) ==
				    realm.len_bytes &&
			    memcmp(hd_realm_name((uint16_t)i), realm.text,
				   realm.len_bytes) == 0)
				ret |= 1u << i;
	return ret;
}

/* derp_realm_key_put - a whole RealmPresent or RealmGone frame: at most
 * DERP_HEADER_BYTES + DERP_REALM_KEY_MAX_BYTES. Returns the byte behind it. */
static inline uint8_t *derp_realm_key_put(uint8_t *frame,
					  enum derp_realms_type type,
					  const struct hd_key *key,
					  const char *realm)
{
	uint8_t *begin = frame + DERP_HEADER_BYTES, *end;

	memcpy(begin, key->b, HD_KEY_BYTES);
	end = derp_realm_put(begin + HD_KEY_BYTES, realm);
	derp_header_put(frame, (enum derp_type)type, (uint32_t)(end - begin));
	return end;
}

/* derp_realm_forward_bytes - of a whole RealmForward frame.
 * derp_realm_forward_head_put - its head. Returns where the packet goes. */
static inline size_t derp_realm_forward_bytes(const char *realm,
					      uint32_t packet_len_bytes)
{
	return DERP_HEADER_BYTES + DERP_REALM_FORWARD_MIN_BYTES +
	       strnlen(realm, DERP_REALM_TEXT_MAX_BYTES) + packet_len_bytes;
}

static inline uint8_t *
derp_realm_forward_head_put(uint8_t *p, const struct hd_packet *packet,
			    const char *realm)
{
	size_t n = derp_realm_forward_bytes(realm, packet->len_bytes);

	p = derp_header_put(p, (enum derp_type)DERP_REALM_FORWARD,
			    (uint32_t)(n - DERP_HEADER_BYTES));
	memcpy(p, packet->src->b, HD_KEY_BYTES);
	memcpy(p + HD_KEY_BYTES, packet->dst->b, HD_KEY_BYTES);
	p[2 * HD_KEY_BYTES] = packet->urgent ? DERP_REALM_URGENT : 0;
	return derp_realm_put(p + DERP_REALM_FORWARD_REALM_AT, realm);
}

/* hdp_has_bridge_mark - a packet in DERP's own realm that looks like path
 * discovery, and is what one relay says to another for a client of HD
 * (hd.bridge, modules/hd/signals.c): clients of DERP are not given it. It has
 * 6 of magic, 32 of MAC, the mark, and what is said. */
#define HDP_BRIDGE_MAC_BYTES 32
#define HDP_BRIDGE_MARK "HD/2 signal, not for you"
#define HDP_BRIDGE_MARK_BYTES 24
#define HDP_BRIDGE_HEAD_BYTES (6 + HDP_BRIDGE_MAC_BYTES + HDP_BRIDGE_MARK_BYTES)
static inline bool hdp_has_bridge_mark(const uint8_t *packet, size_t n)
{
	return n > HDP_BRIDGE_HEAD_BYTES &&
	       memcmp(packet + HDP_BRIDGE_HEAD_BYTES - HDP_BRIDGE_MARK_BYTES,
		      HDP_BRIDGE_MARK, HDP_BRIDGE_MARK_BYTES) == 0;
}

#ifdef __cplusplus
}
#endif
