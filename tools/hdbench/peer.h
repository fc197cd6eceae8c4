/* SPDX-License-Identifier: MIT */
/* tools/hdbench/peer.h - one client of the relay, never blocking.
 *
 *   CONNECTING --> TLS --> LOGIN --> UP
 *        `---------------------'----'--- error, end of file --> CLOSED
 *
 * Until it is UP a peer is watched edge-triggered for both directions. */
#pragma once
#include "tools/hdbench/frames.h"
#include "tools/hdbench/opts.h"
#include "tools/hdbench/tls13.h"
#include "tools/lib/derpc.h"

#define NET_RX_BYTES (512 * 1024)
#define NET_TX_BYTES (1024 * 1024)

struct net { /* what all peers share */
	const struct opts *opts;
	int epoll_fd;
	SSL_CTX *tls; /* NULL: plain */
	struct sockaddr_storage to;
	socklen_t to_bytes;
	uint32_t source; /* 127.0.0.1 + source; 0: as the kernel likes */
	uint32_t opened; /* connections to the loopback */
	/* hot buffers: a received part of a record is put in front of the
	 * next bytes, so rx has room for one record more */
	uint8_t *rx, *tx;
	uint8_t *plain; /* a login and what stands behind it */
	int64_t rx_ns; /* when the latest receive returned */
	int64_t arrived_ns; /* with --silence: when the kernel had it */
	uint8_t seed[32]; /* of keys: net_seed_of() */
};

enum peer_state {
	PEER_CONNECTING,
	PEER_TLS,
	PEER_LOGIN,
	PEER_UP,
	PEER_CLOSED,
};

struct peer_handshake { /* exists until the peer is up */
	SSL *ssl;
	struct tls13_secrets secrets;
	bool has_meta;
	struct hd_key meta;
	struct derpc login;
	bool is_info_sent, behind_odd;
	uint64_t behind_back; /* of --behind */
};

struct peer {
	int fd;
	enum peer_state state;
	uint32_t index; /* of the pool */
	int64_t start_ns; /* when the schedule wanted it opened */
	struct derpc_keys keys;
	struct peer_handshake *hs;
	struct tls13_half in, out;
	struct frames frames;
	struct hd_client *hd; /* hd_peer.h; NULL: it speaks DERP */
	uint8_t *part; /* of a record, received */
	uint32_t part_bytes;
	uint8_t *unsent; /* of the last write */
	uint32_t unsent_bytes;
	struct hd_error error; /* when CLOSED */
};

typedef void peer_on_frame(void *arg, const uint8_t *head,
			   struct derp_header h);

int net_open(struct net *net, const struct opts *opts, struct hd_error *err);
void net_close(struct net *net);

/* net_seed_of - what the keys of the peer with that index follow from. */
void net_seed_of(const struct net *net, uint32_t index,
		 uint8_t ret[static 32]);

/* peer_open - begin to connect; the peer's address is the epoll data and must
 * not change. Returns 0; -errno, with the state CLOSED and error set. */
int peer_open(struct net *net, struct peer *p);

/* peer_advance - something happened on a peer that is not up.
 * Returns the state. */
enum peer_state peer_advance(struct net *net, struct peer *p);

/* peer_watch - for which epoll events from now on. */
void peer_watch(struct net *net, struct peer *p, uint32_t events);

/* peer_read - one receive. Returns the bytes received, 0 if there were none;
 * -errno and the state CLOSED. */
ssize_t peer_read(struct net *net, struct peer *p, peer_on_frame *on_frame,
		  void *arg);

/* peer_write - send bytes as they are; what the socket does not take is kept
 * in unsent. peer_flush - try again. Return 0 all gone; 1 some is unsent;
 * -errno and the state CLOSED. */
int peer_write(struct peer *p, const uint8_t *data, size_t len_bytes);
int peer_flush(struct peer *p);

/* peer_seal - data (with one spare byte behind it, which is overwritten) as
 * records or, plain, as it is. Returns the bytes put into out. */
size_t peer_seal(struct peer *p, uint8_t *out, uint8_t *data, size_t len_bytes);

void peer_close(struct peer *p);
