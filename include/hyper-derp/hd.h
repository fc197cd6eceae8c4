/* SPDX-License-Identifier: MIT */
/* hyper-derp/hd.h - the wire format of HD, version 2: one encoder for the
 * module, the tools and the tests. Header only. All integers are big-endian.
 * Source: doc/reference/protocol-hd.md. */
#pragma once
#include <hyper-derp/base.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the protocol fixes. Lengths are those of a payload, without header, or
 * of a field in it. */
#define HDP_VERSION 2
#define HDP_HEADER_BYTES 4 /* type, 3 bytes payload length */
#define HDP_PAYLOAD_MAX_BYTES 65664
#define HDP_PACKET_MAX_BYTES 65535
#define HDP_PING_BYTES 8
#define HDP_NOTE_MAX_BYTES 64
#define HDP_TEXT_MAX_BYTES 1024
#define HDP_AGENT_MAX_BYTES 63
#define HDP_GROUP_PACKET_MAX_BYTES 16384 /* to a group */
#define HDP_SIGNATURE_BYTES 64
#define HDP_BINDING_BYTES 32 /* the exporter's */

/* What is signed begins with one of these, without a NUL. */
#define HDP_LABEL_BYTES 16
#define HDP_LABEL_RELAY "HD/2 relay proof"
#define HDP_LABEL_CLIENT "HD/2 client key\0"
#define HDP_LABEL_INVITATION "HD/2 invitation\0"
#define HDP_LABEL_CREDENTIAL "HD/2 credential\0"
#define HDP_LABEL_SUBJECT "HD/2 subject key"

enum hdp_type {
	HDP_PING = 0x02, /* 8 bytes */
	HDP_PONG = 0x03, /* the same */
	HDP_PACKETS = 0x04, /* { 4 handle, 2 length, packet } ... */
	HDP_PACKET_TO = 0x05, /* 32 address, packet */
	HDP_KEEP_ALIVE = 0x06, /* empty */
	HDP_PACKET_TO_GROUP = 0x07, /* length, name, packet */
	HDP_RELAY_HELLO = 0x08, /* version, flags, 32 identity, 64 signature */
	HDP_ENROLL = 0x10, /* the same, agent, proofs */
	HDP_WELCOME = 0x11, /* 32 address, 4 keepalive ms, 4, 4 limits */
	HDP_DENIED = 0x12, /* reason, text */
	HDP_PENDING = 0x13, /* text */
	HDP_ALLOW = 0x18, /* 32 address */
	HDP_FORBID = 0x19, /* 4 handle */
	HDP_CONTACT = 0x1a, /* 4 handle, 32 address, flags */
	HDP_KNOCK = 0x1b, /* 32 address or identity, note */
	HDP_ALLOWED = 0x1c, /* 4 handle */
	HDP_VISITOR = 0x1d, /* 32 address */
	HDP_ALLOW_GROUP = 0x1e, /* name; relay: flags, name */
	HDP_FORBID_GROUP = 0x1f, /* name */
	HDP_PEER_GONE = 0x21, /* 4 handle, reason */
	HDP_REDIRECT = 0x22, /* reason, URL */
	HDP_OPEN_CONNECTION = 0x23, /* 4 handle, 4 number, intent */
	HDP_INCOMING = 0x25, HDP_ANSWER = 0x26, /* as 0x23; intent behind it */
	HDP_OPEN_RESULT = 0x24, HDP_ANSWER_RESULT = 0x27, /* 4, 4, result */
	HDP_RESTARTING = 0x28, /* 4 reconnect in ms, 4 try for ms */
	HDP_HEALTH = 0x29, /* text */
	HDP_UDP = 0x2a, /* 4 connection id, 2 port */
	HDP_UDP_LOST = 0x2b, /* empty */
};

/* hdp_enroll_flag, hdp_contact_flag - bits in those frames. */
enum hdp_enroll_flag {
	HDP_ENROLL_KNOCKS = 1,
	HDP_ENROLL_UDP = 2,
	HDP_ENROLL_VISITORS = 4,
};
enum hdp_contact_flag { HDP_CONTACT_REFUSED = 1, HDP_CONTACT_BY_GROUP = 2 };
/* hdp_gone, hdp_denied - the reasons in PeerGone and in Denied. */
enum hdp_gone { HDP_GONE_DISCONNECTED = 0, HDP_GONE_NOT_HERE = 1 };
enum hdp_denied {
	HDP_DENIED_SIGNATURE = 1,
	HDP_DENIED_IDENTITY = 2,
	HDP_DENIED_VERSION = 3,
	HDP_DENIED_WELCOME = 4,
	HDP_DENIED_INVITATION = 5,
	HDP_DENIED_APPROVAL = 6,
	HDP_DENIED_LATER = 7,
};

/* hdp_redirect - reasons in Redirect that relays of this version give. */
enum hdp_redirect { HDP_REDIRECT_DRAINS = 1, HDP_REDIRECT_RULE = 4 };

/* Lengths of payloads, or of what stands before the rest of one. */
#define HDP_HELLO_BYTES (2 + HD_KEY_BYTES + HDP_SIGNATURE_BYTES)
#define HDP_ENROLL_MIN_BYTES (HDP_HELLO_BYTES + 1)
#define HDP_ENROLL_MAX_BYTES 2304
#define HDP_WELCOME_BYTES (HD_KEY_BYTES + 12)
#define HDP_CONTACT_BYTES (4 + HD_KEY_BYTES + 1)
#define HDP_PACKET_HEAD_BYTES 6 /* handle, length */
#define HDP_GONE_BYTES 5

/* HDP_NO_HANDLE - the handle of nobody. */
#define HDP_NO_HANDLE 0xffffffffu

/* hdp_put_u32, hdp_get_u32 - 4 bytes, the highest first. */
static inline void hdp_put_u32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static inline uint32_t hdp_get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

/* hdp_header_get - the HDP_HEADER_BYTES in front of every payload. */
struct hdp_header {
	uint8_t type;
	uint32_t len_bytes; /* the reader checks it */
};

static inline struct hdp_header hdp_header_get(const uint8_t *p)
{
	struct hdp_header h = { p[0], hdp_get_u32(p) & 0xffffff };

	return h;
}

/* hdp_header_put - as all that end in _put: returns the byte behind it. */
static inline uint8_t *hdp_header_put(uint8_t *p, enum hdp_type type,
				      uint32_t len_bytes)
{
	hdp_put_u32(p, len_bytes);
	p[0] = (uint8_t)type;
	return p + HDP_HEADER_BYTES;
}

/* hdp_packet_head_put - what stands before a packet that is alone in its
 * frame. hdp_packet_get - the one at p of the n bytes of a payload.
 * Returns its bytes with the head; 0: it is cut off. */
#define HDP_PACKET_FRAME_HEAD_BYTES (HDP_HEADER_BYTES + HDP_PACKET_HEAD_BYTES)
static inline uint8_t *hdp_packet_head_put(uint8_t *p, uint32_t handle,
					   uint32_t len_bytes)
{
	p = hdp_header_put(p, HDP_PACKETS, HDP_PACKET_HEAD_BYTES + len_bytes);
	hdp_put_u32(p, handle);
	p[4] = (uint8_t)(len_bytes >> 8);
	p[5] = (uint8_t)len_bytes;
	return p + HDP_PACKET_HEAD_BYTES;
}

struct hdp_packet {
	uint32_t handle, len_bytes;
	const uint8_t *data; /* into the payload */
};

static inline size_t hdp_packet_get(const uint8_t *p, size_t n,
				    struct hdp_packet *ret)
{
	if (n < HDP_PACKET_HEAD_BYTES)
		return 0;
	ret->handle = hdp_get_u32(p);
	ret->len_bytes = (uint32_t)p[4] << 8 | p[5];
	ret->data = p + HDP_PACKET_HEAD_BYTES;
	if (n - HDP_PACKET_HEAD_BYTES < ret->len_bytes)
		return 0;
	return HDP_PACKET_HEAD_BYTES + (size_t)ret->len_bytes;
}

/* hdp_signed_put - what a proof signs: 16 of label, 32 of binding, 32 of the
 * relay's identity. */
#define HDP_SIGNED_BYTES (HDP_LABEL_BYTES + HDP_BINDING_BYTES + HD_KEY_BYTES)
static inline void hdp_signed_put(uint8_t to[HDP_SIGNED_BYTES],
				  const char *label, const uint8_t *binding,
				  const uint8_t *relay_identity)
{
	memcpy(to, label, HDP_LABEL_BYTES);
	memcpy(to + HDP_LABEL_BYTES, binding, HDP_BINDING_BYTES);
	memcpy(to + HDP_LABEL_BYTES + HDP_BINDING_BYTES, relay_identity,
	       HD_KEY_BYTES);
}

/* hdp_enroll_get - the fields of an Enroll payload; pointers into it.
 * Returns whether they fit in. */
struct hdp_enroll {
	uint8_t version, flags, agent_bytes;
	const uint8_t *identity, *signature, *agent, *proofs;
	size_t proofs_bytes;
};

static inline bool hdp_enroll_get(const uint8_t *p, size_t n,
				  struct hdp_enroll *ret)
{
	if (n < HDP_ENROLL_MIN_BYTES || n > HDP_ENROLL_MAX_BYTES)
		return false;
	ret->version = p[0];
	ret->flags = p[1];
	ret->identity = p + 2;
	ret->signature = p + 2 + HD_KEY_BYTES;
	ret->agent_bytes = p[HDP_HELLO_BYTES];
	ret->agent = p + HDP_ENROLL_MIN_BYTES;
	if (ret->agent_bytes > HDP_AGENT_MAX_BYTES ||
	    n - HDP_ENROLL_MIN_BYTES < ret->agent_bytes)
		return false;
	ret->proofs = ret->agent + ret->agent_bytes;
	ret->proofs_bytes = n - HDP_ENROLL_MIN_BYTES - ret->agent_bytes;
	return true;
}

/* hdp_proved_put - what a proof of being welcome signs, or keys a MAC over:
 * hdp_signed_put(), and the 32 of the client's identity. */
#define HDP_PROVED_BYTES (HDP_SIGNED_BYTES + HD_KEY_BYTES)
static inline void hdp_proved_put(uint8_t to[HDP_PROVED_BYTES],
				  const char *label, const uint8_t *binding,
				  const uint8_t *relay_identity,
				  const uint8_t *identity)
{
	hdp_signed_put(to, label, binding, relay_identity);
	memcpy(to + HDP_SIGNED_BYTES, identity, HD_KEY_BYTES);
}

/* hdp_proof_kind - HDP_PROOFS_MAX: how many an Enroll has at most. */
enum hdp_proof_kind { HDP_PROOF_INVITATION = 1, HDP_PROOF_CREDENTIAL = 2 };
#define HDP_PROOFS_MAX 8
#define HDP_PROOFS_MAX_BYTES 2048
/* An invitation's parts: id and secret; the proof is id and MAC. */
#define HDP_INVITATION_ID_BYTES 8
#define HDP_INVITATION_SECRET_BYTES 16
#define HDP_MAC_BYTES 32

/* hdp_proof_get - the proof at p of the n bytes of proofs.
 * Returns its bytes with the head; 0: it is cut off. */
struct hdp_proof {
	uint8_t kind;
	const uint8_t *v;
	size_t n;
};
#define HDP_PROOF_HEAD_BYTES 3

static inline size_t hdp_proof_get(const uint8_t *p, size_t n,
				   struct hdp_proof *ret)
{
	if (n < HDP_PROOF_HEAD_BYTES)
		return 0;
	ret->kind = p[0];
	ret->n = (size_t)p[1] << 8 | p[2];
	ret->v = p + HDP_PROOF_HEAD_BYTES;
	if (n - HDP_PROOF_HEAD_BYTES < ret->n)
		return 0;
	return HDP_PROOF_HEAD_BYTES + ret->n;
}

/* hdp_statement_get - the fields of a credential's statement; pointers into
 * it. Returns whether the n bytes are one, and nothing more. */
#define HDP_STATEMENT_VERSION 1
#define HDP_WORD_MAX_BYTES 63 /* name, tenant, group */
#define HDP_STATEMENT_HEAD_BYTES (1 + HD_KEY_BYTES + 3 * 8 + 4)
#define HDP_STATEMENT_MAX_BYTES                                                \
	(HDP_STATEMENT_HEAD_BYTES + 3 * (1 + HDP_WORD_MAX_BYTES) +             \
	 HDP_SIGNATURE_BYTES)

struct hdp_word {
	const uint8_t *v; /* no NUL at the end */
	uint8_t n;
};

struct hdp_statement {
	const uint8_t *subject;
	uint64_t issued_s, expires_s; /* since 1970; expires 0: never */
	uint64_t bytes_per_s;	      /* 0: no limit, as connections */
	uint32_t connections;
	struct hdp_word name, tenant, group;
	size_t signed_bytes; /* from its beginning */
	const uint8_t *signature;
};

/* hdp_get_u64, hdp_put_u64 - 8 bytes, the highest first. */
static inline uint64_t hdp_get_u64(const uint8_t *p)
{
	return (uint64_t)hdp_get_u32(p) << 32 | hdp_get_u32(p + 4);
}

static inline uint8_t *hdp_put_u64(uint8_t *p, uint64_t v)
{
	hdp_put_u32(p, (uint32_t)(v >> 32));
	hdp_put_u32(p + 4, (uint32_t)v);
	return p + 8;
}

/* hdp_word_get - of the n bytes at p. Returns its bytes with the length; 0: it
 * is cut off, or too long. */
static inline size_t hdp_word_get(const uint8_t *p, size_t n,
				  struct hdp_word *ret)
{
	if (n == 0 || p[0] > HDP_WORD_MAX_BYTES || n - 1 < p[0])
		return 0;
	ret->v = p + 1;
	ret->n = p[0];
	return 1 + (size_t)ret->n;
}

static inline bool hdp_statement_get(const uint8_t *p, size_t n,
				     struct hdp_statement *ret)
{
	struct hdp_word *words[] = { &ret->name, &ret->tenant, &ret->group };
	size_t at = HDP_STATEMENT_HEAD_BYTES;

	if (n < at || p[0] != HDP_STATEMENT_VERSION)
		return false;
	ret->subject = p + 1;
	p += 1 + HD_KEY_BYTES;
	ret->issued_s = hdp_get_u64(p);
	ret->expires_s = hdp_get_u64(p + 8);
	ret->bytes_per_s = hdp_get_u64(p + 16);
	ret->connections = hdp_get_u32(p + 24);
	p = ret->subject - 1;
	for (unsigned i = 0; i < 3; i++) {
		size_t used = hdp_word_get(p + at, n - at, words[i]);

		if (used == 0)
			return false;
		at += used;
	}
	ret->signed_bytes = at;
	ret->signature = p + at;
	return n - at == HDP_SIGNATURE_BYTES;
}

/* ---- over UDP ---- */

/* A datagram: type(1) connection id(4) counter(6), which are authenticated;
 * what is sealed; tag(16). */
#define HDP_UDP_HEAD_BYTES 11
#define HDP_UDP_TAG_BYTES 16
#define HDP_UDP_FRAME_BYTES (HDP_UDP_HEAD_BYTES + HDP_UDP_TAG_BYTES)
#define HDP_UDP_PACKET_MAX_BYTES 1200 /* longer ones go by TCP */
#define HDP_UDP_DATA_MAX_BYTES (4 + HDP_UDP_PACKET_MAX_BYTES)
#define HDP_UDP_MAX_BYTES (HDP_UDP_FRAME_BYTES + HDP_UDP_DATA_MAX_BYTES)
#define HDP_UDP_OFFER_BYTES 6 /* of the frame HDP_UDP */
#define HDP_UDP_SECRET_BYTES 32
#define HDP_UDP_COUNTER_MAX ((UINT64_C(1) << 48) - 1)
#define HDP_UDP_OFFERED "hd.udp" /* hd_offer(): that, a union hd_addr */
/* The exporter's, with an empty context. */
#define HDP_UDP_LABEL_CLIENT "EXPERIMENTAL HD/2 UDP client"
#define HDP_UDP_LABEL_RELAY "EXPERIMENTAL HD/2 UDP relay"

/* hdp_udp_type - of a datagram. None is STUN's (0 to 3), DTLS's, RTP's or
 * QUIC's: RFC 7983, RFC 9443. HDP_UDP_PACKET: handle(4) packet.
 * HDP_UDP_CONTROL: hdp_udp_op(1) token(8) token(8), zeros. */
enum hdp_udp_type { HDP_UDP_PACKET = 0x08, HDP_UDP_CONTROL = 0x09 };
enum hdp_udp_op {
	HDP_UDP_PROBE = 1, /* client: its token, 0; as long as can be */
	HDP_UDP_CHALLENGE = 2, /* relay: that token or 0, its own */
	HDP_UDP_RESPONSE = 3, /* client: the relay's token, 0 */
	HDP_UDP_PING = 4, /* client: a token, 0 */
	HDP_UDP_PONG = 5, /* relay: the same, and how many it has opened */
};
#define HDP_UDP_TOKEN_BYTES 8
#define HDP_UDP_CONTROL_BYTES (1 + 2 * HDP_UDP_TOKEN_BYTES)

/* Times of a path, in ms: a ping while packets pass; without an answer for so
 * long it is lost; unused for so long it is not trusted with packets. */
#define HDP_UDP_PING_MS 200
#define HDP_UDP_LOST_MS 700
#define HDP_UDP_IDLE_MS 1000

/* hdp_udp_head_get - of the n bytes of a datagram. Returns whether it can be
 * one: long enough, and of a type that there is.
 * hdp_udp_head_put - returns the byte behind it. */
struct hdp_udp_head {
	enum hdp_udp_type type;
	uint32_t conn;
	uint64_t counter;
};

static inline bool hdp_udp_head_get(const uint8_t *p, size_t n,
				    struct hdp_udp_head *ret)
{
	if (n <= HDP_UDP_FRAME_BYTES || n > HDP_UDP_MAX_BYTES ||
	    (p[0] != HDP_UDP_PACKET && p[0] != HDP_UDP_CONTROL))
		return false;
	ret->type = (enum hdp_udp_type)p[0];
	ret->conn = hdp_get_u32(p + 1);
	ret->counter = hdp_get_u64(p + 3) & HDP_UDP_COUNTER_MAX;
	return true;
}

static inline uint8_t *hdp_udp_head_put(uint8_t *p, enum hdp_udp_type type,
					uint32_t conn, uint64_t counter)
{
	p[0] = (uint8_t)type;
	hdp_put_u32(p + 1, conn);
	p[5] = (uint8_t)(counter >> 40);
	p[6] = (uint8_t)(counter >> 32);
	hdp_put_u32(p + 7, (uint32_t)counter);
	return p + HDP_UDP_HEAD_BYTES;
}

#ifdef __cplusplus
}
#endif
