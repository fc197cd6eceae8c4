/* SPDX-License-Identifier: MIT */
/* t/unit/wg_net.h - the engine of modules/wg in a network that exists in a
 * test: addresses are numbers, time stands still, and messages are made with
 * OpenSSL's BLAKE2s and libsodium, not with the engine's own code. */
#pragma once
#include "modules/wg/saved.h"
#include "modules/wg/wire.h"

#define NET_SENT_MAX 256

struct net_sent {
	union hd_addr to;
	uint32_t len;
	uint8_t data[256]; /* its beginning */
};

struct net {
	struct wg_engine *e;
	struct wg_conf conf;
	uint64_t now_ms;
	struct wg_numbers metrics;
	struct net_sent sent[NET_SENT_MAX];
	unsigned n_sent; /* since net_clear() */
	uint64_t bytes_in, bytes_out;
	struct wg_saved *file; /* what was written last */
	uint32_t timer_ms; /* of the search */
	struct net_disk { /* v NULL: there is none */
		uint8_t *v;
		size_t n;
	} disk, disk_before; /* wg.state, wg.state.before */
};
extern struct net net;

/* Where alice and bob are, peers 1 and 2, and two places of somebody else. */
extern union hd_addr a_at, b_at, evil, evil2;

void net_start(void);
/* net_pair - net_start(), and n peers, of whom 1 and 2 are linked. */
void net_pair(unsigned n);
void net_stop(void);
struct wg_plan *net_plan(void); /* what is registered */
void net_restart(void); /* with what wg_save_all() gave, and the same peers */
void net_clear(void);
/* net_out - bytes sent, without copies to where a peer may be. */
uint64_t net_out(void);
void net_pass(uint64_t ms); /* time, with sweeps */

/* Peer n is called "p<n>"; its public key is n, in all 32 bytes. */
void net_peer(unsigned n, const union hd_addr *pinned);
void net_keyless(unsigned n, const union hd_addr *pinned);
void net_link(unsigned a, unsigned b);
struct wg_peer *net_find(unsigned n);
/* 192.0.0.0 + host, port */
union hd_addr net_addr(unsigned host, unsigned port);
bool net_is(const union hd_addr *a, const union hd_addr *b);
/* net_at - whether that is where the engine thinks it is. */
bool net_at(unsigned n, const union hd_addr *addr);

/* net_in - a datagram arrives; its own copy, so that ASan sees overruns. */
void net_in(const union hd_addr *from, const void *data, size_t len);
/* net_to - the last datagram sent to an address since net_clear(), or NULL. */
const struct net_sent *net_to(const union hd_addr *to);

/* Messages as a client makes them. cookie: 16 bytes, or NULL. */
void net_make_init(uint8_t m[WG_INIT_BYTES], unsigned to, uint32_t index,
		   const uint8_t *cookie);
void net_make_response(uint8_t m[WG_RESPONSE_BYTES], unsigned initiator,
		       uint32_t index, uint32_t receiver);
void net_make_data(uint8_t *m, size_t len, uint32_t receiver, uint64_t counter);
/* net_open_cookie - of a reply to an initiation, or to a response; `to` is whom
 * that was for. false: it is not. */
bool net_open_cookie(const struct net_sent *reply, unsigned to,
		     const uint8_t *message, uint8_t cookie[16]);
/* net_sign_response - the cookie into it. */
void net_sign_response(uint8_t m[WG_RESPONSE_BYTES], const uint8_t *cookie);

/* net_init - peer `to` is asked, with a cookie when the relay wants one. */
void net_init(const union hd_addr *from, unsigned to, uint32_t index);
void net_response(const union hd_addr *from, unsigned initiator, uint32_t index,
		  uint32_t receiver);
void net_data(const union hd_addr *from, uint32_t receiver, uint64_t counter,
	      size_t len);
/* net_rekey - the same peers, a session of other indexes: a's i, b's i + 1. */
void net_rekey(unsigned a, const union hd_addr *x, unsigned b,
	       const union hd_addr *y, uint32_t i);
/* net_tunnel - a whole exchange: a at address x asks b at y; afterwards data
 * for a carries index i, data for b carries i + 1. */
void net_tunnel(unsigned a, const union hd_addr *x, unsigned b,
		const union hd_addr *y, uint32_t i);
