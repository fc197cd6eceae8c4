/* SPDX-License-Identifier: MIT */
/* tools/lib/link.h - one DERP client, waiting for each answer in turn: for
 * checks, not for load. It speaks over anything that carries bytes. */
#pragma once
#include "tools/lib/conn.h"
#include "tools/lib/derpc.h"

/* A byte stream: a struct conn, or a WebSocket over one. */
struct link_io {
	int (*read)(void *arg, void *buf, size_t n, struct hd_error *err);
	int (*write)(void *arg, const void *buf, size_t n,
		     struct hd_error *err);
	void *arg; /* borrowed */
};

#define LINK_PAYLOAD_BYTES (DERP_PACKET_MAX_BYTES + 128)

struct link {
	struct link_io io;
	struct derpc_keys self;
	struct derpc login;
	struct derp_header frame; /* the one read last */
	uint8_t payload[LINK_PAYLOAD_BYTES]; /* frame.len_bytes of it */
	char health[256]; /* the last Health text, or "" */
};

/* link_new - with a key pair of its own. NULL: out of memory. */
struct link *link_new(void);
void link_free(struct link **l);
void link_use_conn(struct link *l, struct conn *c);

/* Login: start, then on to each state, or all at once with link_login().
 * @server  the relay's key if it is known beforehand, else NULL
 * Return 0; -EBADMSG the relay broke the protocol; as the stream. */
int link_start(struct link *l, const struct hd_key *server,
	       struct hd_error *err);
/* link_fast_start - HTTP request and login in one write. */
int link_fast_start(struct link *l, const char *host,
		    const struct hd_key *server, struct hd_error *err);
int link_login_until(struct link *l, enum derpc_state state,
		     struct hd_error *err);
int link_login(struct link *l, struct hd_error *err);

int link_write(struct link *l, enum derp_type type, const void *payload,
	       size_t len_bytes, struct hd_error *err);
int link_send(struct link *l, const struct hd_key *dst, const void *packet,
	      size_t len_bytes, struct hd_error *err);

/* link_read - the next frame, whatever it is. link_routine - what every client
 * does with it: answers Ping, remembers Health. link_expect - both, until a
 * frame of this type. */
int link_read(struct link *l, struct hd_error *err);
int link_routine(struct link *l, struct hd_error *err);
int link_expect(struct link *l, enum derp_type type, struct hd_error *err);
/* link_expect_packet - exactly this packet from src.
 * Returns -EBADMSG when another one comes. */
int link_expect_packet(struct link *l, const struct hd_key *src,
		       const void *packet, size_t len_bytes,
		       struct hd_error *err);
