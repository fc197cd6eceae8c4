/* SPDX-License-Identifier: MIT */
/* libhd/quic_send.c - what a connection of QUIC sends: as long as ngtcp2 has
 * something, and as there is room on the way to the relay. */
#include <errno.h>
#include <string.h>
#include "libhd/quic.h"

#define PACKET_BYTES 15000 /* with its heads, in one record of TLS */
/* What is written before it can be sent: a stream holds this much, and what is
 * under way, and a slow path makes no long queue. */
#define UNSENT_BYTES (1u << 20)

static size_t room_of(const struct libhd_stream *s)
{
	return HD_MIN(UNSENT_BYTES - (size_t)(s->out.to - s->sent),
		      hdl_ring_room(&s->out));
}

void hdl_stream_sent(struct libhd_stream *s)
{
	s->ready |= s->wants_room && room_of(s) >= UNSENT_BYTES / 2;
}

int64_t hdl_stream_put(struct libhd_stream *s, const void *data, size_t n)
{
	size_t room = room_of(s);

	return hdl_ring_put(&s->out, data, HD_MIN(n, room));
}

static bool pending(const struct libhd_stream *s)
{
	return s->id >= 0 && !s->blocked && !s->over && s->error == 0 &&
	       (s->sent < s->out.to || (s->end && !s->end_sent));
}

/* The one that has waited longest: none that always has more holds up another.
 */
static struct libhd_stream *next_stream(struct hdl_quic *q)
{
	struct hdl_tls *tls = q->peer->h->tls;
	struct libhd_stream *s, *next = NULL;

	for (s = tls->streams; s != NULL; s = s->next)
		if (s->q == q && pending(s) &&
		    (next == NULL || s->turn < next->turn))
			next = s;
	if (next != NULL)
		next->turn = ++tls->turns;
	return next;
}

/* Those that wait for the other end to be known get their numbers. */
static void streams_number(struct hdl_quic *q)
{
	struct libhd_stream *s;

	for (s = q->peer->h->tls->streams; s != NULL; s = s->next) {
		if (s->q != q)
			continue;
		s->blocked = false;
		if (s->id < 0 && q->up && !q->doubted &&
		    ngtcp2_conn_open_bidi_stream(q->conn, &s->id, s) != 0)
			s->id = -1; /* as many as it takes are open */
	}
}

/* One packet, with what the stream has; s is NULL: of acknowledgements and the
 * like. Returns its bytes; 0: nothing to send; negative: ngtcp2's. */
static ngtcp2_ssize packet_write(struct hdl_quic *q, struct libhd_stream *s,
				 uint8_t *to, size_t size)
{
	uint32_t flags = NGTCP2_WRITE_STREAM_FLAG_NONE;
	ngtcp2_pkt_info info;
	ngtcp2_path_storage path;
	ngtcp2_ssize n, used = -1;
	struct iovec v[2];
	ngtcp2_vec data[2];
	size_t pieces = 0;
	uint64_t end = s != NULL ? s->sent : 0;

	ngtcp2_path_storage_zero(&path);
	if (s != NULL)
		pieces = hdl_ring_look(&s->out, s->sent, v);
	for (size_t i = 0; i < pieces; i++) {
		data[i] = (ngtcp2_vec){ v[i].iov_base, v[i].iov_len };
		end += v[i].iov_len;
	}
	if (s != NULL && s->end && end == s->out.to)
		flags |= NGTCP2_WRITE_STREAM_FLAG_FIN;
	n = ngtcp2_conn_writev_stream(q->conn, &path.path, &info, to, size,
				      &used, flags, s != NULL ? s->id : -1,
				      data, pieces, hdl_quic_now());
	q->wrote += n > 0 ? (size_t)n : 0;
	if (s != NULL && used >= 0) {
		s->sent += (uint64_t)used;
		s->end_sent = s->end && s->sent == s->out.to;
		s->end_alone = s->end_sent && used == 0;
		hdl_stream_sent(s);
	}
	return n;
}

/* Returns whether to go on. */
static bool stream_refused(struct libhd_stream *s, ngtcp2_ssize n)
{
	if (s == NULL)
		return false;
	if (n == NGTCP2_ERR_STREAM_SHUT_WR ||
	    n == NGTCP2_ERR_STREAM_NOT_FOUND) {
		s->error = -ECONNRESET;
		s->ready = true;
		return true;
	}
	s->blocked = true;
	return n == NGTCP2_ERR_STREAM_DATA_BLOCKED;
}

static bool room(struct libhd *h)
{
	if (h->phase == HDL_OPEN && h->out.n >= HDL_OUT_MAX_BYTES)
		hdl_tls_write(h);
	return h->phase == HDL_OPEN && h->out.n < HDL_OUT_MAX_BYTES &&
	       !hdl_udp_full(h);
}

size_t hdl_quic_packet_bytes(const struct libhd *h)
{
	size_t most = hdl_udp_up(h) ? HDP_UDP_PACKET_MAX_BYTES : PACKET_BYTES;

	/* what the relay takes is not known before the first login */
	return h->packet_max > 0 ? HD_MIN(most, (size_t)h->packet_max) : most;
}

/* Returns whether there is nothing more, or nothing that may be sent. */
static bool write_all(struct hdl_quic *q)
{
	size_t most = hdl_ng_pace_burst(q->conn, &q->pace), burst = 0;
	size_t size = hdl_quic_packet_bytes(q->peer->h);
	uint8_t packet[PACKET_BYTES];

	while (room(q->peer->h)) {
		struct libhd_stream *s = next_stream(q);
		ngtcp2_ssize n = packet_write(q, s, packet, size);

		if (n < 0 && !stream_refused(s, n)) {
			hdl_quic_failed(q, (int)n);
			return false;
		}
		if (n == 0)
			return true; /* the window is full, or that is all */
		if (n > 0 && hdl_packet_put(q->peer, packet, (size_t)n) < 0)
			return false; /* it is lost, and sent again */
		burst += n > 0 ? (size_t)n : 0;
		if (burst >= most) {
			q->peer->h->tls->dirty = true; /* the next turn */
			return false;
		}
	}
	return false;
}

/* An end that was sent behind its bytes may be sent again with them: then what
 * acknowledges it looks like the bytes alone. It is there when nothing is under
 * way any more, and nothing waits: the next timer is not one of what is sent.
 */
static void ends_look(struct hdl_quic *q)
{
	struct libhd_stream *s;

	if (hdl_ng_in_flight(q->conn) > 0 ||
	    ngtcp2_conn_get_expiry(q->conn) <
		    hdl_quic_now() + HDL_KEEP_ALIVE / 2)
		return;
	for (s = q->peer->h->tls->streams; s != NULL; s = s->next) {
		if (s->q != q || !s->end_alone || s->out.from < s->out.to)
			continue;
		s->end_alone = false;
		s->end_acked = s->ready = true;
	}
}

/* A PING is what ngtcp2 sends when its time for that has come: that is so for
 * one packet, or each would be a PING. It waits where nothing may be sent that
 * is to be acknowledged. */
static void write_ping(struct hdl_quic *q)
{
	uint64_t before = hdl_ng_in_flight(q->conn);
	uint8_t packet[PACKET_BYTES];
	ngtcp2_ssize n;

	ngtcp2_conn_set_keep_alive_timeout(q->conn, NGTCP2_NANOSECONDS);
	n = packet_write(q, NULL, packet, hdl_quic_packet_bytes(q->peer->h));
	ngtcp2_conn_set_keep_alive_timeout(q->conn, HDL_KEEP_ALIVE);
	q->wants_ping = hdl_ng_in_flight(q->conn) <= before;
	if (n < 0)
		hdl_quic_failed(q, (int)n);
	else if (n > 0)
		(void)hdl_packet_put(q->peer, packet, (size_t)n);
}

void hdl_quic_flush(struct hdl_quic *q)
{
	bool all = false;

	if (q->error != 0)
		return;
	q->wrote = 0;
	hdl_ng_pace_look(&q->pace, hdl_quic_now());
	streams_number(q);
	if (q->wants_ping && room(q->peer->h))
		write_ping(q);
	if (q->error == 0)
		all = write_all(q);
	/* writev_stream() says 0 until the rate allows more, and the timer of
	 * the connection stands for it */
	if (q->error == 0)
		hdl_ng_pace_sent(q->conn, &q->pace, q->wrote, hdl_quic_now());
	if (all)
		ends_look(q);
}

/* Whether all streams are at their end both ways. */
static bool all_read(const struct hdl_quic *q)
{
	const struct libhd_stream *s;

	for (s = q->peer->h->tls->streams; s != NULL; s = s->next)
		if (s->q == q && !(s->eof && s->end_acked))
			return false;
	return true;
}

void hdl_quic_close(struct hdl_quic *q)
{
	struct hdl_ng_why why;
	uint8_t packet[1200];
	ngtcp2_path_storage path;
	ngtcp2_pkt_info info;
	ngtcp2_ssize n;

	if (q->told || q->conn == NULL)
		return;
	q->told = true;
	ngtcp2_path_storage_zero(&path);
	if (q->liberr != 0)
		hdl_ng_why_liberr(&why, q->conn, q->liberr);
	else
		hdl_ng_why_ours(&why, all_read(q) ? 0 : 1);
	n = ngtcp2_conn_write_connection_close(q->conn, &path.path, &info,
					       packet, sizeof(packet), &why.v,
					       hdl_quic_now());
	if (n > 0)
		(void)hdl_packet_put_tcp(q->peer, packet, (size_t)n);
}
