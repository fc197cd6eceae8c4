/* SPDX-License-Identifier: MIT */
/* t/unit/wg_xdp_frame.h - Ethernet frames with a WireGuard message, byte by
 * byte, and what must hold of one that was forwarded. Knows nothing of the code
 * under test. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX 4096

struct frame_spec { /* zeroed fields: the usual */
	const char *from, *to; /* addresses, both IPv4 or both IPv6 */
	uint16_t from_port, to_port;
	uint32_t type, index;
	uint64_t counter;
	size_t len_bytes; /* of the message */
	uint16_t tags[3]; /* TCI, 0 ends */
	uint16_t outer_proto; /* of the first tag; 0: 0x8100 */
	uint16_t fragment; /* the field of IPv4 */
	uint8_t ttl, tos;
	uint8_t next_header; /* of IPv6, with 8 bytes of extension */
	bool options; /* IPv4, 4 bytes of them */
	bool no_checksum; /* UDP: 0 */
	bool partial_checksum; /* UDP: of the pseudo header only */
	int udp_len_off, ip_len_off; /* added to the right value */
	size_t trailer_bytes; /* behind the datagram */
};

struct frame {
	uint8_t b[FRAME_MAX];
	size_t n;
	size_t ip, udp; /* offsets */
	bool is_v6;
};

void frame_make(struct frame *f, const struct frame_spec *spec);
/* Offsets of a frame that came back; n must be set. */
void frame_parse(struct frame *f);
uint16_t frame_get16(const struct frame *f, size_t at);
/* The sums over header and datagram are those of an undamaged packet. */
bool frame_ip_sum_ok(const struct frame *f);
bool frame_udp_sum_ok(const struct frame *f);
bool frame_addr_is(const struct frame *f, bool source, const char *addr);
