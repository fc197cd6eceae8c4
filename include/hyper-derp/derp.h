/* SPDX-License-Identifier: MIT */
/* hyper-derp/derp.h - the DERP wire format, version 2: one encoder for the
 * module, the tools and the tests. Header only. All integers are big-endian.
 * Source: tailscale 1.102, packages derp and derphttp;
 * doc/reference/protocol-derp.md. */
#pragma once
#include <hyper-derp/base.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the protocol fixes. Lengths are those of a payload, without header. */
#define DERP_VERSION 2
#define DERP_HEADER_BYTES 5 /* type, 4 bytes payload length */
#define DERP_MAGIC "DERP\xf0\x9f\x94\x91"
#define DERP_MAGIC_BYTES 8
#define DERP_NONCE_BYTES 24
#define DERP_MAC_BYTES 16 /* of a NaCl box */
#define DERP_PACKET_MAX_BYTES 65536
#define DERP_CLIENT_INFO_MIN_BYTES (HD_KEY_BYTES + DERP_NONCE_BYTES)
#define DERP_CLIENT_INFO_MAX_BYTES (256 * 1024)
#define DERP_PING_MIN_BYTES 8
#define DERP_PING_MAX_BYTES 1000
#define DERP_PONG_BYTES 8

/* A disco packet starts with "TS💬"; with its sender's key, nonce and an empty
 * box it is never shorter. Source: tailscale disco/disco.go. */
#define DERP_DISCO_MAGIC "TS\xf0\x9f\x92\xac"
#define DERP_DISCO_MAGIC_BYTES 6
#define DERP_DISCO_MIN_BYTES 62

enum derp_type {
	DERP_SERVER_KEY = 0x01,     /* magic, 32 key */
	DERP_CLIENT_INFO = 0x02,    /* 32 key, 24 nonce, box of JSON */
	DERP_SERVER_INFO = 0x03,    /* 24 nonce, box of JSON */
	DERP_SEND_PACKET = 0x04,    /* 32 destination, packet */
	DERP_RECV_PACKET = 0x05,    /* 32 source, packet */
	DERP_KEEP_ALIVE = 0x06,     /* empty */
	DERP_NOTE_PREFERRED = 0x07, /* 1 byte */
	DERP_PEER_GONE = 0x08,      /* 32 key, 1 reason */
	DERP_PEER_PRESENT = 0x09,   /* 32 key, 16 IP, 2 port, 1 flags */
	DERP_FORWARD_PACKET = 0x0a, /* 32 source, 32 destination, packet */
	DERP_WATCH_CONNS = 0x10,    /* empty */
	DERP_CLOSE_PEER = 0x11,     /* 32 key */
	DERP_PING = 0x12,           /* 8..1000 bytes */
	DERP_PONG = 0x13,           /* the first 8 */
	DERP_HEALTH = 0x14,         /* text */
	DERP_RESTARTING = 0x15,     /* 4 reconnect in ms, 4 try for ms */
};

/* Whole frames of a fixed length, and what stands before the rest of one. */
#define DERP_SERVER_KEY_BYTES                                                  \
	(DERP_HEADER_BYTES + DERP_MAGIC_BYTES + HD_KEY_BYTES)
#define DERP_PACKET_HEAD_BYTES (DERP_HEADER_BYTES + HD_KEY_BYTES)
#define DERP_NOTE_PREFERRED_BYTES (DERP_HEADER_BYTES + 1)
#define DERP_PEER_GONE_BYTES (DERP_HEADER_BYTES + HD_KEY_BYTES + 1)
#define DERP_PEER_PRESENT_BYTES (DERP_HEADER_BYTES + HD_KEY_BYTES + 16 + 2 + 1)
#define DERP_FORWARD_HEAD_BYTES (DERP_HEADER_BYTES + 2 * HD_KEY_BYTES)
#define DERP_PONG_FRAME_BYTES (DERP_HEADER_BYTES + DERP_PONG_BYTES)
#define DERP_RESTARTING_BYTES (DERP_HEADER_BYTES + 8)

/* derp_gone - the reason in a PeerGone frame. */
enum derp_gone { DERP_GONE_DISCONNECTED = 0, DERP_GONE_NOT_HERE = 1 };

/* derp_present - what a client is, in a PeerPresent frame. Source: tailscale
 * derp/derp.go, PeerPresentFlags. */
enum derp_present {
	DERP_PRESENT_REGULAR = 1, /* none of the others */
	DERP_PRESENT_MESH = 2, /* another relay */
	DERP_PRESENT_PROBER = 4,
	DERP_PRESENT_NOT_IDEAL = 8, /* it would rather be elsewhere */
};

/* derp_identity - who this relay is, and the key of its mesh: what the module
 * derp offers to others (offer.h). Secret. */
#define DERP_IDENTITY "derp.identity"
struct derp_identity {
	struct hd_key public_key, mesh_key;
	uint8_t private_key[HD_KEY_BYTES];
	bool has_mesh_key;
};

/* derp_header_get - the DERP_HEADER_BYTES in front of every payload. The caller
 * checks len_bytes against what it is ready to take. */
struct derp_header {
	uint8_t type;
	uint32_t len_bytes;
};

/* derp_put_u32, derp_get_u32 - 4 bytes, the highest first. */
static inline void derp_put_u32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static inline uint32_t derp_get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

/* derp_header_put - Returns the byte behind the header. */
static inline uint8_t *derp_header_put(uint8_t *p, enum derp_type type,
				       uint32_t len_bytes)
{
	p[0] = (uint8_t)type;
	derp_put_u32(p + 1, len_bytes);
	return p + DERP_HEADER_BYTES;
}

static inline struct derp_header derp_header_get(const uint8_t *p)
{
	struct derp_header h = { p[0], derp_get_u32(p + 1) };

	return h;
}

/* derp_server_key_put - a whole frame, as the others that end in _put; each
 * returns the byte behind it. */
static inline uint8_t *derp_server_key_put(uint8_t *p, const struct hd_key *key)
{
	p = derp_header_put(p, DERP_SERVER_KEY,
			    DERP_MAGIC_BYTES + HD_KEY_BYTES);
	memcpy(p, DERP_MAGIC, DERP_MAGIC_BYTES);
	memcpy(p + DERP_MAGIC_BYTES, key->b, HD_KEY_BYTES);
	return p + DERP_MAGIC_BYTES + HD_KEY_BYTES;
}

/* derp_packet_head_put - the head of SendPacket (key: the destination) or
 * RecvPacket (key: the source). Returns where the packet goes. */
static inline uint8_t *derp_packet_head_put(uint8_t *p, enum derp_type type,
					    const struct hd_key *key,
					    uint32_t packet_len_bytes)
{
	p = derp_header_put(p, type, HD_KEY_BYTES + packet_len_bytes);
	memcpy(p, key->b, HD_KEY_BYTES);
	return p + HD_KEY_BYTES;
}

/* derp_forward_head_put - the head of ForwardPacket. Returns where the packet
 * goes. */
static inline uint8_t *derp_forward_head_put(uint8_t *p,
					     const struct hd_key *src,
					     const struct hd_key *dst,
					     uint32_t packet_len_bytes)
{
	p = derp_header_put(p, DERP_FORWARD_PACKET,
			    2 * HD_KEY_BYTES + packet_len_bytes);
	memcpy(p, src->b, HD_KEY_BYTES);
	memcpy(p + HD_KEY_BYTES, dst->b, HD_KEY_BYTES);
	return p + 2 * HD_KEY_BYTES;
}

/* derp_note_preferred_put - this relay is the client's home, or is not. */
static inline uint8_t *derp_note_preferred_put(uint8_t *p, bool preferred)
{
	p = derp_header_put(p, DERP_NOTE_PREFERRED, 1);
	*p = preferred;
	return p + 1;
}

/* derp_peer_gone_put - key has gone, or was not here. */
static inline uint8_t *derp_peer_gone_put(uint8_t *p, const struct hd_key *key,
					  enum derp_gone reason)
{
	p = derp_header_put(p, DERP_PEER_GONE, HD_KEY_BYTES + 1);
	memcpy(p, key->b, HD_KEY_BYTES);
	p[HD_KEY_BYTES] = (uint8_t)reason;
	return p + HD_KEY_BYTES + 1;
}

/* derp_peer_present_put - key is here.
 * @ip     IPv6, or IPv4-mapped
 * @flags  enum derp_present */
static inline uint8_t *derp_peer_present_put(uint8_t *p,
					     const struct hd_key *key,
					     const uint8_t ip[16],
					     uint16_t port, uint8_t flags)
{
	p = derp_header_put(p, DERP_PEER_PRESENT,
			    DERP_PEER_PRESENT_BYTES - DERP_HEADER_BYTES);
	memcpy(p, key->b, HD_KEY_BYTES);
	memcpy(p + HD_KEY_BYTES, ip, 16);
	p += HD_KEY_BYTES + 16;
	p[0] = (uint8_t)(port >> 8);
	p[1] = (uint8_t)port;
	p[2] = flags;
	return p + 3;
}

/* derp_ping_put - DERP_PING or DERP_PONG.
 * @ping  the payload to echo, or for a Ping to send: 8 bytes */
static inline uint8_t *derp_ping_put(uint8_t *p, enum derp_type type,
				     const uint8_t ping[DERP_PONG_BYTES])
{
	p = derp_header_put(p, type, DERP_PONG_BYTES);
	memcpy(p, ping, DERP_PONG_BYTES);
	return p + DERP_PONG_BYTES;
}

/* derp_restarting_put - come back, and for how long to try. */
static inline uint8_t *derp_restarting_put(uint8_t *p, uint32_t reconnect_in_ms,
					   uint32_t try_for_ms)
{
	p = derp_header_put(p, DERP_RESTARTING, 8);
	derp_put_u32(p, reconnect_in_ms);
	derp_put_u32(p + 4, try_for_ms);
	return p + 8;
}

/* derp_looks_disco - whether a packet is one of Tailscale's path discovery. */
static inline bool derp_looks_disco(const uint8_t *packet, size_t len_bytes)
{
	return len_bytes >= DERP_DISCO_MIN_BYTES &&
	       memcmp(packet, DERP_DISCO_MAGIC, DERP_DISCO_MAGIC_BYTES) == 0;
}

#ifdef __cplusplus
}
#endif
