/* SPDX-License-Identifier: MIT */
/* t/bench/hd_xdp.h - what the relay and the load of t/bench/hd-xdp agree on. A
 * datagram has HD's head and tag around a packet; its counter is the time at
 * which it was due, and goes with it from one end to the other. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
	HD_XDP_PORT = 7443, /* of the relay */
	HD_XDP_FROM = 20000, /* a pair's sender has this port and its number */
	HD_XDP_TO = 30000, /* its receiver */
	HD_XDP_PAIRS_MAX = 256,
	HD_XDP_HEAD_BYTES = 15, /* of HD: type, flags, connection, counter */
	HD_XDP_COUNTER = 7, /* where in the head */
	HD_XDP_FRAME_BYTES = HD_XDP_HEAD_BYTES + 16,
	HD_XDP_MAX_BYTES = 1472,
};

/* hd_xdp_aead_start - AES-128-GCM by the relay's provider, one key. Exits if
 * there is none.
 * hd_xdp_seal - n bytes behind the head, in place; the tag goes behind.
 * hd_xdp_open - the same bytes, to out, which may be where they are. Returns
 * whether they are what was sealed. */
void hd_xdp_aead_start(void);
void hd_xdp_seal(uint8_t *p, size_t n);
int hd_xdp_open(const uint8_t *p, size_t n, uint8_t *out);
const char *hd_xdp_aead_about(void);

/* How the relay comes by datagrams. */
struct hd_xdp_options {
	const char *device;
	unsigned hold_us; /* turns begin so far apart; 0: with the first */
	int gso;
	int whole; /* with the sums of UDP, and a route for each that came */
	int in_only; /* what leaves does so by a socket */
};
/* Both run until they are killed. */
void hd_xdp_by_sockets(const struct hd_xdp_options *o);
void hd_xdp_by_af_xdp(const struct hd_xdp_options *o);

/* What leaves by the socket: hd_xdp_socket opens it, hd_xdp_pass opens, seals
 * and keeps a datagram that came, hd_xdp_flush sends what is kept. */
struct sockaddr_in;
void hd_xdp_socket(const struct hd_xdp_options *o);
void hd_xdp_pass(const struct sockaddr_in *from, const uint8_t *p, size_t len);
void hd_xdp_flush(void);

/* hd_xdp_fail - says what, and why (errno), and exits with 1.
 * hd_xdp_rest - until a turn that began at began_ns may be followed by another.
 */
void hd_xdp_fail(const char *what) __attribute__((noreturn));
void hd_xdp_rest(uint64_t began_ns, unsigned hold_us);
