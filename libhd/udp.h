/* SPDX-License-Identifier: MIT */
/* libhd/udp.h - the way to the relay by UDP, beside TCP: of udp.c, which knows
 * when, and udp_io.c, which knows how.
 *
 *   PROBING --Challenge: we answer--> UP: short packets go there
 *     ^ `- no answer: again later       | no Pong in time, or UdpLost
 *     `---------------------------------'  */
#pragma once
#include "libhd/inner.h"
#include "libhd/udp_batch.h"
#include "libhd/udp_choice.h"
#include "modules/hd/udp_keys.h"

#define HDL_UDP_PINGS 8 /* that may be under way */

enum hdl_udp_state { HDL_UDP_PROBING, HDL_UDP_UP };

struct hdl_udp { /* of a connection that the relay has offered UDP on */
	int fd;
	uint32_t conn;
	uint16_t port;
	enum hdl_udp_state state;
	unsigned tries; /* Probes of this round */
	int64_t wait_ms; /* before the next round */
	int64_t next_ms; /* when something is to be done; 0: nothing */
	int64_t up_ms; /* since when it is up */
	int64_t heard_ms; /* a Pong, or a Challenge */
	bool unsure; /* silent for long: packets go by TCP until a Pong */
	uint8_t token[HDP_UDP_TOKEN_BYTES]; /* of Probes */
	bool active; /* a packet has passed, either way, since the last Ping */
	uint64_t pings;
	int64_t pinged_ms[HDL_UDP_PINGS];
	uint64_t pinged[HDL_UDP_PINGS]; /* datagrams sent by then, with it */
	int64_t asked_ms; /* of the first Ping that has no answer; 0: none */
	struct hdp_udp_tx tx;
	struct hdp_udp_rx rx;
	struct hdl_seen seen;
	struct hdl_choice choice;
	struct hdl_batch batch;
	bool waits_for_room; /* POLLOUT is asked for */
};

/* ---- udp_io.c ---- */
/* hdl_udp_open - a socket to where the TCP connection leads, but to that port.
 * Returns 0; -errno.
 * hdl_udp_close - the other way.
 * hdl_udp_idle - nothing passes: its memory for that goes.
 * hdl_udp_read - what has come. Returns whether there may be more.
 * hdl_udp_take - a datagram, from anybody. @arg  the endpoint
 * hdl_udp_control - send one. @n  its bytes, the rest is 0 */
int hdl_udp_open(struct libhd *h, uint16_t port);
void hdl_udp_close(struct libhd *h);
void hdl_udp_idle(struct hdl_udp *u);
bool hdl_udp_read(struct libhd *h);
void hdl_udp_take(void *arg, uint8_t *p, size_t n);
void hdl_udp_control(struct hdl_udp *u, enum hdp_udp_op op,
		     const uint8_t *token, size_t n);

/* ---- udp.c ---- */
/* hdl_udp_take_control - that the relay has sealed. */
void hdl_udp_take_control(struct libhd *h, const uint8_t *p, size_t n);
