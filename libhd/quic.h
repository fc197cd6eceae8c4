/* SPDX-License-Identifier: MIT */
/* libhd/quic.h - QUIC between two peers, by ngtcp2 and GnuTLS.
 *
 * A peer has some connections: one that we have opened, if any, and those that
 * it has. Each of our connection ids begins with the 4 bytes of `tag`, by which
 * packets are told apart. A stream belongs to the endpoint; `q` is NULL when
 * its connection is gone.
 *
 * Inside of ngtcp2's callbacks nothing is freed, and nobody is called: they set
 * flags, which hdl_streams_run() looks at. */
#pragma once
#include "libhd/inner.h"
#include "libhd/quic_api.h"
#include "libhd/ring.h"

#define HDL_TAG_BYTES 4
#define HDL_CID_BYTES 8
#define HDL_KEEP_ALIVE (25 * NGTCP2_SECONDS)
#define HDL_CONNS_MAX 8 /* of one peer, opened by it */
/* What ngtcp2 may have for one connection: out of order, of streams that are
 * open, up to 16 MB in blocks of 8 kB; as much once more of those that were
 * closed unread, until the other end knows; and its notes of what is under way.
 */
#define HDL_CONN_MEMORY_BYTES (40u << 20)

struct hdl_quic {
	struct libhd_peer *peer;
	struct hdl_quic *next; /* of the peer */
	ngtcp2_conn *conn;
	ngtcp2_mem mem; /* of conn */
	size_t mem_bytes; /* that it has */
	gnutls_session_t session;
	ngtcp2_crypto_conn_ref ref;
	ngtcp2_cid first_dcid; /* chosen by the other end: of one it opened */
	uint8_t tag[HDL_TAG_BYTES];
	struct libhd_key key; /* that the other end shows; proven once up */
	struct hdl_ng_pace pace;
	size_t wrote; /* in this turn, bytes */
	bool server, verified, up;
	int error; /* of the connection; it ends */
	int liberr; /* ... as ngtcp2 names it; 0: ours */
	bool told; /* the other end has ended it */
	bool well; /* ... having read all */
	bool doubted; /* the other end may know nothing of it: quic_reset.c */
	bool gone; /* ... for the relay has said that it had gone */
	bool moves; /* when it ends, what it has not sent goes by another one */
	bool heard; /* something has come of it */
	bool wants_ping;
	int64_t ask_ms; /* doubted: when to ask again */
	unsigned asked;
};

struct libhd_stream {
	struct libhd *h;
	struct hdl_quic *q;
	struct libhd_stream *prev, *next; /* of the endpoint */
	int64_t id; /* -1: not opened yet */
	struct hdl_ring in, out;
	uint64_t sent; /* of out */
	uint64_t turn; /* its last */
	uint64_t rested; /* bytes, both ways, when it was last looked at */
	bool end, end_sent, end_acked; /* of what we write */
	bool end_alone; /* sent behind the bytes, and not acknowledged itself */
	bool eof; /* of what we read */
	bool blocked; /* in this round */
	bool fresh; /* its beginning is to be told */
	bool ready; /* that it is ready is to be told */
	bool wants_room; /* write has said -EAGAIN */
	bool closed; /* by our user: it is only kept for QUIC */
	bool over; /* QUIC needs it no more */
	int error;
	void *user;
};

struct hdl_tls { /* of an endpoint */
	gnutls_certificate_credentials_t cred;
	gnutls_priority_t priority;
	struct libhd_stream *streams;
	uint64_t turns; /* that streams have had */
	int64_t rest_ms; /* when streams are looked at: are they quiet? or 0 */
	bool dirty; /* there may be something to send */
};

/* ---- quic_tls.c ---- */
/* hdl_quic_tls_init - the endpoint's. hdl_quic_session - of one connection.
 * Both return 0; -ENOMEM; -EIO GnuTLS does not want to. */
int hdl_quic_tls_init(struct libhd *h);
void hdl_quic_tls_free(struct libhd *h);
int hdl_quic_session(struct hdl_quic *q);

/* ---- quic_conn.c ---- */
/* hdl_quic_open - to a peer. hdl_quic_accept - of its first packet. Both
 * return it, in the peer's list; NULL: no memory, or no such packet.
 * hdl_quic_read - a packet for it. hdl_quic_expired - its timers.
 * hdl_quic_free - out of the list; streams are without it then.
 * hdl_quic_failed - by an error of ngtcp2: it ends.
 * hdl_quic_now - as ngtcp2 has the time. hdl_quic_path - the only one. */
struct hdl_quic *hdl_quic_open(struct libhd_peer *peer);
struct hdl_quic *hdl_quic_accept(struct libhd_peer *peer, const uint8_t *p,
				 size_t n);
void hdl_quic_read(struct hdl_quic *q, const uint8_t *p, size_t n);
void hdl_quic_expired(struct hdl_quic *q);
void hdl_quic_free(struct hdl_quic *q);
void hdl_quic_failed(struct hdl_quic *q, int liberr);
uint64_t hdl_quic_now(void);
const ngtcp2_path *hdl_quic_path(void);

/* ---- quic_memory.c ---- */
/* hdl_quic_memory_init - what ngtcp2 has for q is counted, and bounded. */
void hdl_quic_memory_init(struct hdl_quic *q);

/* ---- quic_reset.c ---- */
/* hdl_quic_token - of one of our connection ids: who shows it knows that.
 * hdl_quic_reset - say that a packet's connection is not known.
 * hdl_quic_maybe_reset - a packet of no connection: it may say so of ours. */
void hdl_quic_token(const struct libhd_peer *peer, const uint8_t *cid,
		    size_t n, uint8_t ret[NGTCP2_STATELESS_RESET_TOKENLEN]);
void hdl_quic_reset(struct libhd_peer *peer, const ngtcp2_version_cid *id,
		    const uint8_t *p, size_t n);
void hdl_quic_maybe_reset(struct libhd_peer *peer, const uint8_t *p, size_t n);
/* hdl_quic_doubts - asks the other end, if that is due. hdl_quic_doubts_ms -
 * when that is; 0: never. */
void hdl_quic_doubts(struct hdl_quic *q);
int64_t hdl_quic_doubts_ms(const struct hdl_quic *q);

/* ---- quic_gone.c ---- */
/* hdl_quic_gone_run - of a peer that has gone: asks for it, if that is due.
 * hdl_quic_gone_back - it has not. */
void hdl_quic_gone_run(struct libhd_peer *peer);
void hdl_quic_gone_back(struct libhd_peer *peer);

/* ---- quic_send.c ---- */
/* hdl_quic_packet_bytes - of the longest packet, on the way that is used.
 * hdl_stream_put - as much as may wait to be sent. Returns how much; -ENOMEM.
 * hdl_stream_sent - more of it has been sent, or acknowledged: whoever waits to
 * write may do so, if that is worth it.
 * hdl_quic_flush - what there is to send, as far as it goes.
 * hdl_quic_close - tell the other end. */
size_t hdl_quic_packet_bytes(const struct libhd *h);
int64_t hdl_stream_put(struct libhd_stream *s, const void *data, size_t n);
void hdl_stream_sent(struct libhd_stream *s);
void hdl_quic_flush(struct hdl_quic *q);
void hdl_quic_close(struct hdl_quic *q);

/* ---- streams.c ---- */
struct libhd_stream *hdl_stream_new(struct hdl_quic *q);
/* hdl_stream_drop - out of the list, and free.
 * hdl_streams_orphan - those of a connection that has ended. */
void hdl_stream_drop(struct libhd_stream *s);
void hdl_streams_orphan(struct hdl_quic *q);
