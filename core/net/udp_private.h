/* SPDX-License-Identifier: MIT */
/* core/net/udp_private.h - a UDP socket, for core/net/udp*.c only. Modules may
 * share one, if the first bytes of their datagrams differ: each has a struct
 * hd_udp of it. */
#pragma once
#include <hyper-derp/datagram.h>
#include "core/net/udp.h"

enum {
	HD_UDP_SEGMENTS = 64, /* of one send; UDP_MAX_SEGMENTS of old kernels */
	HD_UDP_OUT = 64, /* sends that wait */
	HD_UDP_PIECES = 256, /* of all of them */
	HD_UDP_LATEST = 64, /* addresses that are found again */
	HD_UDP_IN = 64, /* datagrams handed over at once, at most */
	HD_UDP_LARGE_BYTES = 65536,
	/* Buffers that begin at the same place of the caches push each other
	 * out. */
	HD_UDP_STRIDE_BYTES = HD_UDP_LARGE_BYTES + 2048,
};

struct hd_outgoing { /* one datagram, or some of equal size to one address */
	union hd_addr to, from;
	bool has_from;
	uint32_t len; /* of all of it */
	uint32_t segment; /* size of each but the last */
	uint16_t first, last; /* pieces */
	struct hd_module *mod; /* whose it is */
};

struct hd_piece { /* whole datagrams, one behind the other in the arena */
	uint32_t at, len;
	uint16_t next; /* of the same send; of the last one: not used */
};

struct hd_udp { /* what a module has of a socket */
	struct hd_udp_socket *socket;
	struct hd_udp *next; /* of the socket */
	struct hd_module *mod;
	hd_datagrams_fn *fn;
	void *arg;
	uint8_t first, last; /* of first bytes; 0, 0: what nobody else gets */
	bool large; /* it asked for it */
	bool left; /* by the old code: the new takes it, or it is closed */
	bool closed; /* while the socket delivers: it ends after that */
};

struct hd_udp_socket {
	int fd;
	uint32_t slot, gen;
	struct hd_worker *worker;
	struct hd_udp *users;
	union hd_addr addr; /* as it was asked for */
	bool readable, dirty, v6;
	bool delivers; /* its datagrams are being handed over */
	bool large; /* HD_UDP_LARGE: with buffers of its own */
	bool gso; /* the kernel cuts one send into datagrams */
	uint8_t last_n; /* messages that came the last time */
	struct hd_udp_socket *dirty_next;
	uint8_t *in; /* large: buffers, HD_UDP_STRIDE_BYTES apart */
	uint8_t *arena; /* what waits to be sent */
	uint32_t arena_n, arena_bytes;
	unsigned n_out, n_pieces;
	uint8_t latest[HD_UDP_LATEST]; /* by address: in out[], from 1 */
	struct hd_outgoing out[HD_UDP_OUT];
	struct hd_piece pieces[HD_UDP_PIECES];
};

/* hd_udp_buffers - make them; probe what the kernel can. Returns 0; -ENOMEM.
 * hd_udp_buffers_free - those. hd_udp_buffers_large - of a socket that has had
 * small ones: returns as the first. */
int hd_udp_buffers(struct hd_udp_socket *u);
int hd_udp_buffers_large(struct hd_udp_socket *u);
void hd_udp_buffers_free(struct hd_udp_socket *u);

/* hd_udp_end_closed - what was closed while the socket delivered; the socket
 * too, if nobody else has it. */
void hd_udp_end_closed(struct hd_udp_socket *u);

/* hd_udp_flush - what waits is sent now, by the socket's worker.
 * hd_udp_account - it has left, to its module's account. @sent  datagrams of
 * it; with fewer than it has: each by itself */
void hd_udp_flush(struct hd_udp_socket *u);
void hd_udp_account(struct hd_udp_socket *u, const struct hd_outgoing *o,
		    unsigned sent);

/* hd_udp_find - what the worker has open for the address, or NULL.
 * hd_udp_deliver - to those who share it, by first bytes. */
struct hd_udp_socket *hd_udp_find(const struct hd_worker *w,
				  const union hd_addr *addr);
void hd_udp_deliver(struct hd_udp_socket *u, struct hd_datagram *v, unsigned n);

/* hd_carriers_run - as hd_udps_run(). hd_carriers_send - what one of them has
 * taken does not wait any more. */
bool hd_carriers_run(struct hd_worker *w);
void hd_carriers_send(struct hd_udp_socket *u);
