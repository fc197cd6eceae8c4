/* SPDX-License-Identifier: MIT */
/* libhd/streams.c - streams to peers, for those who use them, and when
 * connections of QUIC have their turn. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "libhd/quic.h"

#define REST_MS 2000 /* that a stream is quiet till its memory goes */

bool libhd_has_streams(void)
{
	return true;
}

/* ---- of an endpoint ---- */

int hdl_streams_init(struct libhd *h)
{
	h->tls = calloc(1, sizeof(*h->tls));
	return h->tls != NULL ? hdl_quic_tls_init(h) : -ENOMEM;
}

void hdl_streams_free(struct libhd *h)
{
	if (h->tls == NULL)
		return;
	/* the peers, and with them the connections, are gone; what is left is
	 * of callers who did not close it */
	while (h->tls->streams != NULL)
		hdl_stream_drop(h->tls->streams);
	hdl_quic_tls_free(h);
	free(h->tls);
	h->tls = NULL;
}

void hdl_streams_peer_free(struct libhd_peer *peer)
{
	while (peer->quic != NULL) {
		hdl_quic_close(peer->quic);
		hdl_quic_free(peer->quic);
	}
}

/* ---- packets ---- */

static bool is_for(const struct hdl_quic *q, const ngtcp2_version_cid *id)
{
	if (id->dcidlen == HDL_CID_BYTES &&
	    memcmp(id->dcid, q->tag, HDL_TAG_BYTES) == 0)
		return true;
	return q->server && id->dcidlen == q->first_dcid.datalen &&
	       memcmp(id->dcid, q->first_dcid.data, id->dcidlen) == 0;
}

static struct hdl_quic *new_one(struct libhd_peer *peer, const uint8_t *p,
				size_t n)
{
	unsigned have = 0;

	for (struct hdl_quic *q = peer->quic; q != NULL; q = q->next)
		have += q->server;
	if (peer->h->events.stream == NULL || have >= HDL_CONNS_MAX)
		return NULL;
	return hdl_quic_accept(peer, p, n);
}

void hdl_streams_packet(struct libhd_peer *peer, const uint8_t *p, size_t n)
{
	struct hdl_quic *q = peer->quic;
	ngtcp2_version_cid id;

	if (n == 0 ||
	    ngtcp2_pkt_decode_version_cid(&id, p, n, HDL_CID_BYTES) != 0)
		return;
	while (q != NULL && !is_for(q, &id))
		q = q->next;
	if (q == NULL)
		q = new_one(peer, p, n);
	if (q != NULL) {
		hdl_quic_read(q, p, n);
	} else {
		hdl_quic_maybe_reset(peer, p, n);
		hdl_quic_reset(peer, &id, p, n);
	}
	peer->h->tls->dirty = true;
}

/* ---- turns ---- */

static void peer_run(struct libhd_peer *peer)
{
	struct hdl_quic *q, *next;

	hdl_quic_gone_run(peer);
	for (q = peer->quic; q != NULL; q = next) {
		next = q->next;
		hdl_quic_expired(q);
		hdl_quic_doubts(q);
		hdl_quic_flush(q);
		if (q->error != 0) {
			hdl_quic_close(q);
			hdl_quic_free(q);
		}
	}
}

static struct libhd_stream *next_event(struct libhd *h)
{
	struct libhd_stream *s = h->tls->streams, *next;

	for (; s != NULL; s = next) {
		next = s->next;
		if (s->closed && s->over)
			hdl_stream_drop(s);
		else if (!s->closed && (s->fresh || s->ready))
			return s;
	}
	return NULL;
}

static void tell(struct libhd *h, struct libhd_stream *s)
{
	if (s->fresh) {
		s->fresh = false;
		/* it has come and gone, or nobody here takes any: the peer may
		 * open some on a connection of ours, too */
		if (s->q == NULL || h->events.stream == NULL)
			libhd_stream_close(&s);
		else
			h->events.stream(h, s->q->peer, s, h->user);
		return;
	}
	s->ready = s->wants_room = false;
	if (h->events.stream_ready != NULL)
		h->events.stream_ready(h, s, h->user);
}

/* One through which next to nothing has passed for a while has no memory for
 * it: else a byte now and then would keep all of it. */
static void rest(struct libhd *h)
{
	bool due = h->tls->rest_ms != 0; /* else from now on */
	int64_t now = hdl_now_ms();

	if (now < h->tls->rest_ms)
		return;
	h->tls->rest_ms = 0;
	for (struct libhd_stream *s = h->tls->streams; s != NULL; s = s->next) {
		uint64_t passed = s->in.to + s->out.to;

		if (due && passed - s->rested < HDL_RING_CHUNK_BYTES) {
			hdl_ring_rest(&s->in);
			hdl_ring_rest(&s->out);
		}
		s->rested = passed;
		if (hdl_ring_can_rest(&s->in) || hdl_ring_can_rest(&s->out))
			h->tls->rest_ms = now + REST_MS;
	}
}

void hdl_streams_run(struct libhd *h)
{
	struct libhd_stream *s;
	struct libhd_peer *peer;

	for (s = next_event(h); s != NULL; s = next_event(h))
		tell(h, s);
	if (h->phase != HDL_OPEN)
		return; /* QUIC sends again what is lost meanwhile */
	h->tls->dirty = false;
	for (peer = h->by_address; peer != NULL; peer = h->turn) {
		h->turn = peer->by_address.next;
		peer_run(peer);
	}
	rest(h);
}

static uint64_t sooner(uint64_t at, int64_t ms)
{
	return ms == 0 ? at : HD_MIN(at, (uint64_t)ms * NGTCP2_MILLISECONDS);
}

static uint64_t peer_expiry(const struct libhd_peer *peer)
{
	uint64_t at = sooner(UINT64_MAX, peer->gone_ms);
	const struct hdl_quic *q;

	for (q = peer->quic; q != NULL; q = q->next) {
		at = HD_MIN(at, ngtcp2_conn_get_expiry(q->conn));
		at = sooner(at, hdl_quic_doubts_ms(q));
	}
	return at;
}

int64_t hdl_streams_timeout_ms(const struct libhd *h)
{
	uint64_t first = sooner(UINT64_MAX, h->tls->rest_ms), now;
	const struct libhd_stream *s;
	const struct libhd_peer *peer;

	for (s = h->tls->streams; s != NULL; s = s->next)
		if (!s->closed && (s->fresh || s->ready))
			return 0;
	/* full: there is room again when the fd says so */
	if (h->phase != HDL_OPEN || h->out.n >= HDL_OUT_MAX_BYTES ||
	    hdl_udp_full(h))
		return -1;
	if (h->tls->dirty)
		return 0;
	for (peer = h->by_address; peer != NULL; peer = peer->by_address.next)
		first = HD_MIN(first, peer_expiry(peer));
	if (first == UINT64_MAX)
		return -1;
	now = hdl_quic_now();
	if (first <= now)
		return 0;
	return (int64_t)((first - now) / NGTCP2_MILLISECONDS) + 1;
}

/* ---- a stream ---- */

struct libhd_stream *hdl_stream_new(struct hdl_quic *q)
{
	struct libhd_stream *s = calloc(1, sizeof(*s));
	struct hdl_tls *tls = q->peer->h->tls;

	if (s == NULL)
		return NULL;
	s->h = q->peer->h;
	s->q = q;
	s->id = -1;
	s->next = tls->streams;
	if (s->next != NULL)
		s->next->prev = s;
	tls->streams = s;
	return s;
}

void hdl_stream_drop(struct libhd_stream *s)
{
	if (s->prev != NULL)
		s->prev->next = s->next;
	else
		s->h->tls->streams = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	hdl_ring_free(&s->in);
	hdl_ring_free(&s->out);
	free(s);
}

/* To another one, which is opened for the first: returns false if it cannot be,
 * or may not. */
static bool moved(struct hdl_quic *q, struct libhd_stream *s,
		  struct hdl_quic **to)
{
	if (!q->moves || s->id >= 0 || s->closed || s->error != 0)
		return false;
	if (*to == NULL)
		*to = hdl_quic_open(q->peer);
	if (*to == NULL)
		return false;
	s->q = *to;
	q->peer->h->tls->dirty = true;
	return true;
}

void hdl_streams_orphan(struct hdl_quic *q)
{
	struct libhd *h = q->peer->h;
	struct libhd_stream *s, *next;
	struct hdl_quic *to = NULL;

	for (s = h->tls->streams; s != NULL; s = next) {
		next = s->next;
		if (s->q != q || moved(q, s, &to))
			continue;
		s->q = NULL;
		if (s->error == 0)
			s->error = q->error != 0 ? q->error : -ECONNRESET;
		s->end_acked |= q->well && s->end_sent;
		s->over = s->ready = true;
		if (s->closed)
			hdl_stream_drop(s);
	}
}

int libhd_stream_open(struct libhd_peer *peer, struct libhd_stream **ret)
{
	struct hdl_quic *q = peer->quic;

	if (!peer->h->streams)
		return -EOPNOTSUPP;
	while (q != NULL && (q->server || q->error != 0))
		q = q->next;
	if (q == NULL)
		q = hdl_quic_open(peer);
	if (q == NULL)
		return -ENOMEM;
	*ret = hdl_stream_new(q);
	peer->h->tls->dirty = true;
	return *ret != NULL ? 0 : -ENOMEM;
}

/* The connection's window is for all of its streams: what one has had of it
 * goes back when it is read, or will not be, also when the stream is over. */
static void window_back(struct libhd_stream *s, size_t n)
{
	if (s->q == NULL || n == 0)
		return;
	ngtcp2_conn_extend_max_offset(s->q->conn, n);
	s->h->tls->dirty = true;
}

ssize_t libhd_stream_read(struct libhd_stream *s, void *data, size_t len_bytes)
{
	size_t n = hdl_ring_get(&s->in, data, len_bytes);

	if (n > 0 || len_bytes == 0) {
		if (s->q != NULL && !s->over)
			ngtcp2_conn_extend_max_stream_offset(s->q->conn, s->id,
							     n);
		window_back(s, n);
		return (ssize_t)n;
	}
	if (s->eof)
		return 0;
	return s->error != 0 ? s->error : -EAGAIN;
}

ssize_t libhd_stream_write(struct libhd_stream *s, const void *data,
			   size_t len_bytes)
{
	int64_t n;

	if (s->error != 0)
		return s->error;
	if (s->end || s->over)
		return -EPIPE;
	n = hdl_stream_put(s, data, len_bytes);
	s->h->tls->dirty |= n > 0; /* else who waits for room would not wait */
	if (n == 0 && len_bytes > 0) {
		s->wants_room = true;
		return -EAGAIN;
	}
	return (ssize_t)n;
}

void libhd_stream_end(struct libhd_stream *s)
{
	s->h->tls->dirty |= !s->end;
	s->end = true;
}

size_t libhd_stream_unsent_bytes(const struct libhd_stream *s)
{
	if (s->end_acked)
		return 0;
	return (size_t)(s->out.to - s->out.from) + s->end;
}

void libhd_stream_close(struct libhd_stream **ps)
{
	struct libhd_stream *s = *ps;

	if (s == NULL)
		return;
	*ps = NULL;
	window_back(s, (size_t)(s->in.to - s->in.from));
	/* the peer may take its time until QUIC needs the stream no more */
	hdl_ring_done(&s->in, s->in.to);
	hdl_ring_rest(&s->in);
	if (s->q == NULL || s->over || s->id < 0) {
		hdl_stream_drop(s);
		return;
	}
	s->closed = true;
	if (!(s->eof && s->end_acked))
		hdl_ng_stream_stop(s->q->conn, s->id, 1);
	s->h->tls->dirty = true;
}

struct libhd_peer *libhd_stream_peer(const struct libhd_stream *s)
{
	return s->q != NULL ? s->q->peer : NULL;
}

void libhd_stream_set_user(struct libhd_stream *s, void *user)
{
	s->user = user;
}

void *libhd_stream_user(const struct libhd_stream *s)
{
	return s->user;
}
