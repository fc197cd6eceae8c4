/* SPDX-License-Identifier: MIT */
/* hyper-derp/stun.h - the part of STUN that a DERP relay speaks: the Binding
 * request and its answer. One encoder for the module, the tools and the tests.
 * Header only. All integers are big-endian. Source: RFC 5389. */
#pragma once
#include <errno.h>
#include <hyper-derp/base.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the protocol fixes. Offsets are those in a message. */
#define STUN_PORT 3478
#define STUN_COOKIE 0x2112a442u
#define STUN_HEADER_BYTES 20 /* type, length, cookie, transaction */
#define STUN_TXID_OFFSET 8
#define STUN_TXID_BYTES 12
#define STUN_ATTR_HEADER_BYTES 4
#define STUN_FINGERPRINT_BYTES 8 /* with its attribute header */
#define STUN_FINGERPRINT_XOR 0x5354554eu
#define STUN_SOFTWARE_MAX_BYTES 763 /* RFC 5389, 15.10 */
/* Header and XOR-MAPPED-ADDRESS of an IPv6 address. */
#define STUN_RESPONSE_MAX_BYTES                                                \
	(STUN_HEADER_BYTES + STUN_ATTR_HEADER_BYTES + 20)

/* stun_type - of a message. */
enum stun_type {
	STUN_BINDING_REQUEST = 0x0001,
	STUN_BINDING_SUCCESS = 0x0101,
	STUN_BINDING_ERROR = 0x0111,
};

enum stun_attr { /* below 0x8000: whoever does not know it must refuse */
		 STUN_MAPPED_ADDRESS = 0x0001,
		 STUN_USERNAME = 0x0006,
		 STUN_MESSAGE_INTEGRITY = 0x0008,
		 STUN_ERROR_CODE = 0x0009,
		 STUN_UNKNOWN_ATTRIBUTES = 0x000a,
		 STUN_REALM = 0x0014,
		 STUN_NONCE = 0x0015,
		 STUN_XOR_MAPPED_ADDRESS = 0x0020,
		 STUN_REQUIRED_END = 0x8000,
		 STUN_SOFTWARE = 0x8022,
		 STUN_ALTERNATE_SERVER = 0x8023,
		 STUN_FINGERPRINT = 0x8028,
};

/* stun_family - of an address in an attribute. */
enum stun_family { STUN_IPV4 = 0x01, STUN_IPV6 = 0x02 };

/* stun_message - what stun_parse() has found. */
struct stun_message {
	uint16_t type; /* enum stun_type */
	const uint8_t *txid; /* borrowed from the datagram, as software is */
	const char *software; /* not terminated; NULL: absent */
	uint16_t software_len_bytes;
	bool fingerprint; /* present, and correct */
	uint16_t unknown; /* the first unknown required attribute, or 0 */
	union hd_addr mapped; /* sa_family AF_UNSPEC: absent */
};

/* stun_put_u16, stun_put_u32, stun_get_u16, stun_get_u32 - the highest byte
 * first. */
static inline void stun_put_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void stun_put_u32(uint8_t *p, uint32_t v)
{
	stun_put_u16(p, (uint16_t)(v >> 16));
	stun_put_u16(p + 2, (uint16_t)v);
}

static inline uint16_t stun_get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t stun_get_u32(const uint8_t *p)
{
	return (uint32_t)stun_get_u16(p) << 16 | stun_get_u16(p + 2);
}

/* stun_crc32 - ITU V.42, as zlib's. Four bits a step: the messages are short
 * and the table is one cache line. */
static inline uint32_t stun_crc32(const uint8_t *p, size_t n)
{
	static const uint32_t table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
		0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
		0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	uint32_t crc = 0xffffffffu;

	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

/* stun_begin, stun_add - encoding: begin, then add attributes. Each adder takes
 * the length so far and returns the new one; the message is complete after
 * every step. The caller has room for what it adds. */
static inline size_t stun_begin(uint8_t *p, enum stun_type type,
				const uint8_t txid[STUN_TXID_BYTES])
{
	stun_put_u16(p, (uint16_t)type);
	stun_put_u16(p + 2, 0);
	stun_put_u32(p + 4, STUN_COOKIE);
	memcpy(p + STUN_TXID_OFFSET, txid, STUN_TXID_BYTES);
	return STUN_HEADER_BYTES;
}

static inline size_t stun_add(uint8_t *p, size_t n, enum stun_attr type,
			      const void *value, size_t len_bytes)
{
	size_t padded = (len_bytes + 3) & ~(size_t)3;
	uint8_t *attr = p + n;

	stun_put_u16(attr, (uint16_t)type);
	stun_put_u16(attr + 2, (uint16_t)len_bytes);
	memcpy(attr + STUN_ATTR_HEADER_BYTES, value, len_bytes);
	memset(attr + STUN_ATTR_HEADER_BYTES + len_bytes, 0,
	       padded - len_bytes);
	n += STUN_ATTR_HEADER_BYTES + padded;
	stun_put_u16(p + 2, (uint16_t)(n - STUN_HEADER_BYTES));
	return n;
}

/* stun_xor_address - the address is hidden from middleboxes that rewrite
 * addresses: XOR with the cookie and, for IPv6, with the transaction behind
 * it. */
static inline void stun_xor_address(uint8_t *ip, size_t n,
				    const uint8_t *message)
{
	for (size_t i = 0; i < n; i++)
		ip[i] ^= message[4 + i];
}

/* stun_add_address - an IPv4-mapped address of a dual-stack socket is written
 * as IPv4: a client that sent over IPv4 would not know the other. */
static inline size_t stun_add_address(uint8_t *p, size_t n,
				      const union hd_addr *addr)
{
	bool v6 = addr->sa.sa_family == AF_INET6;
	bool mapped = v6 && IN6_IS_ADDR_V4MAPPED(&addr->in6.sin6_addr);
	size_t ip_bytes = v6 && !mapped ? 16 : 4;
	const uint8_t *ip = v6 ? addr->in6.sin6_addr.s6_addr
			       : (const uint8_t *)&addr->in.sin_addr;
	uint8_t value[20] = { 0 };

	value[1] = ip_bytes == 16 ? STUN_IPV6 : STUN_IPV4;
	memcpy(value + 2, v6 ? &addr->in6.sin6_port : &addr->in.sin_port, 2);
	memcpy(value + 4, ip + (mapped ? 12 : 0), ip_bytes);
	stun_xor_address(value + 2, 2, p);
	stun_xor_address(value + 4, ip_bytes, p);
	return stun_add(p, n, STUN_XOR_MAPPED_ADDRESS, value, 4 + ip_bytes);
}

/* stun_add_fingerprint - must be the last one. The length that it covers
 * includes itself. */
static inline size_t stun_add_fingerprint(uint8_t *p, size_t n)
{
	uint8_t crc[4];

	stun_put_u16(p + 2, (uint16_t)(n + STUN_FINGERPRINT_BYTES -
				       STUN_HEADER_BYTES));
	stun_put_u32(crc, stun_crc32(p, n) ^ STUN_FINGERPRINT_XOR);
	return stun_add(p, n, STUN_FINGERPRINT, crc, sizeof(crc));
}

/* stun_request_put - as Tailscale's clients write it when software is
 * "tailnode", which is the only request that derper answers.
 * @p  room for STUN_HEADER_BYTES + 4 + the text, padded to 4, + 8
 * Returns the length. */
static inline size_t stun_request_put(uint8_t *p,
				      const uint8_t txid[STUN_TXID_BYTES],
				      const char *software)
{
	size_t n = stun_begin(p, STUN_BINDING_REQUEST, txid);

	n = stun_add(p, n, STUN_SOFTWARE, software, strlen(software));
	return stun_add_fingerprint(p, n);
}

/* stun_response_put - the shortest answer there is: it must not help anybody
 * to turn a small forged datagram into a large one.
 * @txid  may lie within p: answer in place
 * Returns the length, at most STUN_RESPONSE_MAX_BYTES. */
static inline size_t stun_response_put(uint8_t *p, const uint8_t *txid,
				       const union hd_addr *addr)
{
	uint8_t copy[STUN_TXID_BYTES];

	memcpy(copy, txid, sizeof(copy));
	return stun_add_address(p, stun_begin(p, STUN_BINDING_SUCCESS, copy),
				addr);
}

/* stun_parse_address, stun_attr_known, stun_parse_attr - parts of stun_parse().
 * Returns 0; -EBADMSG. */
static inline int stun_parse_address(const uint8_t *message, const uint8_t *v,
				     size_t n, union hd_addr *ret_addr)
{
	size_t ip_bytes = n > 4 ? n - 4 : 0;
	uint8_t ip[18];

	if (!(n == 8 && v[1] == STUN_IPV4) && !(n == 20 && v[1] == STUN_IPV6))
		return -EBADMSG;
	memcpy(ip, v + 2, 2 + ip_bytes);
	stun_xor_address(ip, 2, message);
	stun_xor_address(ip + 2, ip_bytes, message);
	memset(ret_addr, 0, sizeof(*ret_addr));
	if (ip_bytes == 4) {
		ret_addr->in.sin_family = AF_INET;
		memcpy(&ret_addr->in.sin_port, ip, 2);
		memcpy(&ret_addr->in.sin_addr, ip + 2, 4);
	} else {
		ret_addr->in6.sin6_family = AF_INET6;
		memcpy(&ret_addr->in6.sin6_port, ip, 2);
		memcpy(&ret_addr->in6.sin6_addr, ip + 2, 16);
	}
	return 0;
}

static inline bool stun_attr_known(uint16_t type)
{
	static const uint16_t known[] = {
		STUN_MAPPED_ADDRESS,
		STUN_USERNAME,
		STUN_MESSAGE_INTEGRITY,
		STUN_ERROR_CODE,
		STUN_UNKNOWN_ATTRIBUTES,
		STUN_REALM,
		STUN_NONCE,
		STUN_XOR_MAPPED_ADDRESS,
	};

	for (size_t i = 0; i < HD_ARRAY_N(known); i++)
		if (type == known[i])
			return true;
	return type >= STUN_REQUIRED_END;
}

/* @p  the message; the attribute starts at offset `at` */
static inline int stun_parse_attr(const uint8_t *p, size_t at, size_t n,
				  struct stun_message *ret_msg)
{
	uint16_t type = stun_get_u16(p + at);
	uint16_t len_bytes = stun_get_u16(p + at + 2);
	const uint8_t *value = p + at + STUN_ATTR_HEADER_BYTES;

	if (type == STUN_XOR_MAPPED_ADDRESS)
		return stun_parse_address(p, value, len_bytes,
					  &ret_msg->mapped);
	if (type == STUN_SOFTWARE) {
		ret_msg->software = (const char *)value;
		ret_msg->software_len_bytes = len_bytes;
	} else if (type == STUN_FINGERPRINT) {
		if (len_bytes != 4 || at + STUN_FINGERPRINT_BYTES != n ||
		    stun_get_u32(value) !=
			    (stun_crc32(p, at) ^ STUN_FINGERPRINT_XOR))
			return -EBADMSG;
		ret_msg->fingerprint = true;
	} else if (!stun_attr_known(type) && ret_msg->unknown == 0) {
		ret_msg->unknown = type;
	}
	return 0;
}

/* stun_parse - a whole datagram, from anybody.
 * Returns 0; -EBADMSG not a well-formed STUN message of RFC 5389, or one with
 * a fingerprint that is wrong or not last. */
static inline int stun_parse(const uint8_t *p, size_t n,
			     struct stun_message *ret_msg)
{
	memset(ret_msg, 0, sizeof(*ret_msg));
	if (n < STUN_HEADER_BYTES || (p[0] & 0xc0) != 0 ||
	    stun_get_u32(p + 4) != STUN_COOKIE || n % 4 != 0 ||
	    stun_get_u16(p + 2) != n - STUN_HEADER_BYTES)
		return -EBADMSG;
	ret_msg->type = stun_get_u16(p);
	ret_msg->txid = p + STUN_TXID_OFFSET;
	for (size_t at = STUN_HEADER_BYTES; at < n;) {
		size_t len_bytes = stun_get_u16(p + at + 2);
		size_t padded = (len_bytes + 3) & ~(size_t)3;
		int r;

		if (padded > n - at - STUN_ATTR_HEADER_BYTES)
			return -EBADMSG;
		r = stun_parse_attr(p, at, n, ret_msg);
		if (r < 0)
			return r;
		at += STUN_ATTR_HEADER_BYTES + padded;
	}
	return 0;
}

#ifdef __cplusplus
}
#endif
