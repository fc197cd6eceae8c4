/* SPDX-License-Identifier: MIT */
/* libhd/quic_conn.c - a connection of QUIC: what ngtcp2 asks of us, and its
 * beginning and end. Packets come and go as packets of HD: there are no
 * addresses, so all of it has one path, which is no path. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "libhd/quic.h"

#define STREAMS_MAX 256 /* that the other end may have open */
#define IDLE_TIMEOUT (60 * NGTCP2_SECONDS)
#define HANDSHAKE_TIMEOUT (30 * NGTCP2_SECONDS)
/* What a peer may send that we have not read: at first, and where we read as
 * fast as it comes. A packet that is lost holds up all behind it for a round
 * trip and more, for sent again it may be lost as well: 100 Mbit/s over 50 ms,
 * of which 2 % are lost, want 8 MB. Where a window ends before the path is full
 * BBR does not find the path's speed. */
#define WINDOW (HDL_RING_BYTES / 2)
#define CONN_WINDOW (2 * WINDOW)
#define CONN_WINDOW_MAX (2 * HDL_RING_BYTES)

uint64_t hdl_quic_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NGTCP2_SECONDS + (uint64_t)t.tv_nsec;
}

const ngtcp2_path *hdl_quic_path(void)
{
	static const struct sockaddr_in none = { .sin_family = AF_INET };
	/* ngtcp2 only copies what they point to */
	static const ngtcp2_path path = {
		.local = { (ngtcp2_sockaddr *)&none, sizeof(none) },
		.remote = { (ngtcp2_sockaddr *)&none, sizeof(none) },
	};

	return &path;
}

/* ---- what ngtcp2 asks ---- */

static void on_rand(uint8_t *to, size_t n, const ngtcp2_rand_ctx *ctx)
{
	(void)ctx;
	randombytes_buf(to, n);
}

static void cid_make(const struct hdl_quic *q, ngtcp2_cid *cid)
{
	uint8_t v[HDL_CID_BYTES];

	memcpy(v, q->tag, sizeof(q->tag));
	randombytes_buf(v + sizeof(q->tag), sizeof(v) - sizeof(q->tag));
	ngtcp2_cid_init(cid, v, sizeof(v));
}

static int on_new_cid(ngtcp2_conn *conn, ngtcp2_cid *cid, uint8_t *token,
		      size_t n, void *user)
{
	struct hdl_quic *q = user;

	(void)conn, (void)n;
	cid_make(q, cid);
	hdl_quic_token(q->peer, cid->data, cid->datalen, token);
	return 0;
}

/* Who had gone and begins anew knows nothing of what it had begun before. Its
 * reset would not say so: a client's first connection id has no token. */
static void replace(struct hdl_quic *q)
{
	struct hdl_quic *old;

	for (old = q->peer->quic; old != NULL; old = old->next) {
		if (old == q || !old->server || !old->gone || old->error != 0)
			continue;
		old->error = -ECONNRESET;
		old->told = true;
	}
}

static int on_up(ngtcp2_conn *conn, void *user)
{
	struct hdl_quic *q = user;

	(void)conn;
	if (!q->verified)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	q->up = true;
	q->peer->identity = q->key;
	q->peer->has_identity = true;
	if (q->server)
		replace(q);
	return 0;
}

static int on_data(ngtcp2_conn *conn, uint32_t flags, int64_t id,
		   uint64_t offset, const uint8_t *data, size_t n, void *user,
		   void *stream)
{
	struct libhd_stream *s = stream;

	(void)user, (void)offset;
	if (s == NULL || s->closed) { /* nobody will read it */
		ngtcp2_conn_extend_max_stream_offset(conn, id, n);
		ngtcp2_conn_extend_max_offset(conn, n);
		return 0;
	}
	/* the window is no larger than the ring */
	if (hdl_ring_put(&s->in, data, n) != (int64_t)n)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	if ((flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0)
		s->eof = true;
	s->ready = true;
	return 0;
}

static int on_acked(ngtcp2_conn *conn, int64_t id, uint64_t offset, uint64_t n,
		    void *user, void *stream)
{
	struct libhd_stream *s = stream;

	(void)conn, (void)id, (void)user;
	if (s == NULL)
		return 0;
	hdl_ring_done(&s->out, offset + n);
	/* n is 0: that is the end, which may be there before what was lost */
	s->end_alone = s->end_alone && n > 0;
	if (s->end_sent && !s->end_alone && s->out.from == s->out.to)
		s->end_acked = true;
	s->ready = s->ready || s->end;
	hdl_stream_sent(s);
	return 0;
}

static int on_open(ngtcp2_conn *conn, int64_t id, void *user)
{
	struct libhd_stream *s = hdl_stream_new(user);

	if (s == NULL)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	s->id = id;
	s->fresh = true;
	return ngtcp2_conn_set_stream_user_data(conn, id, s);
}

static int on_close(ngtcp2_conn *conn, uint32_t flags, int64_t id,
		    uint64_t code, void *user, void *stream)
{
	struct libhd_stream *s = stream;
	struct hdl_quic *q = user;

	(void)flags, (void)code;
	if (q->server == !(id & 1)) /* the other end may open one more */
		ngtcp2_conn_extend_max_streams_bidi(conn, 1);
	if (s == NULL)
		return 0;
	s->over = true;
	s->ready = true;
	if (s->end_sent && s->error == 0)
		s->end_acked = true;
	return 0;
}

static int on_reset(ngtcp2_conn *conn, int64_t id, uint64_t size, uint64_t code,
		    void *user, void *stream)
{
	struct libhd_stream *s = stream;

	(void)conn, (void)id, (void)size, (void)code, (void)user;
	if (s != NULL && !s->eof) {
		s->error = -ECONNRESET;
		s->ready = true;
	}
	return 0;
}

static int on_stop(ngtcp2_conn *conn, int64_t id, uint64_t code, void *user,
		   void *stream)
{
	struct libhd_stream *s = stream;

	(void)conn, (void)id, (void)code, (void)user;
	if (s != NULL && !s->end_acked) {
		s->error = -ECONNRESET;
		s->ready = true;
	}
	return 0;
}

static const ngtcp2_callbacks callbacks = {
	.client_initial = ngtcp2_crypto_client_initial_cb,
	.recv_client_initial = ngtcp2_crypto_recv_client_initial_cb,
	.recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb,
	.handshake_completed = on_up,
	.encrypt = ngtcp2_crypto_encrypt_cb,
	.decrypt = ngtcp2_crypto_decrypt_cb,
	.hp_mask = ngtcp2_crypto_hp_mask_cb,
	.recv_stream_data = on_data,
	.acked_stream_data_offset = on_acked,
	.stream_open = on_open,
	.stream_close = on_close,
	.stream_reset = on_reset,
	.stream_stop_sending = on_stop,
	.recv_retry = ngtcp2_crypto_recv_retry_cb,
	.rand = on_rand,
	.get_new_connection_id = on_new_cid,
	.update_key = ngtcp2_crypto_update_key_cb,
	.delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb,
	.delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb,
	.get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb,
	.version_negotiation = ngtcp2_crypto_version_negotiation_cb,
};

/* ---- beginning ---- */

static void settings_make(const struct libhd *h, ngtcp2_settings *s,
			  ngtcp2_transport_params *p)
{
	size_t packet_bytes = hdl_quic_packet_bytes(h);

	ngtcp2_settings_default(s);
	s->initial_ts = hdl_quic_now();
	s->handshake_timeout = HANDSHAKE_TIMEOUT;
	/* by this size BBR reckons how much may leave at once, and wait in
	 * queues; longer ones are not sent later on */
	s->max_tx_udp_payload_size =
		HD_MAX(packet_bytes, (size_t)NGTCP2_MAX_UDP_PAYLOAD_SIZE);
	s->no_tx_udp_payload_size_shaping = 1;
	s->no_pmtud = 1;
	s->cc_algo = HDL_NG_BBR;
	s->max_stream_window = HDL_RING_BYTES;
	s->max_window = CONN_WINDOW_MAX;
	ngtcp2_transport_params_default(p);
	p->initial_max_stream_data_bidi_local = WINDOW;
	p->initial_max_stream_data_bidi_remote = WINDOW;
	p->initial_max_data = CONN_WINDOW;
	p->initial_max_streams_bidi = STREAMS_MAX;
	p->max_idle_timeout = IDLE_TIMEOUT;
	p->disable_active_migration = 1;
}

static struct hdl_quic *quic_new(struct libhd_peer *peer, bool server)
{
	struct hdl_quic *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	q->peer = peer;
	q->server = server;
	hdl_quic_memory_init(q);
	randombytes_buf(q->tag, sizeof(q->tag));
	q->next = peer->quic;
	peer->quic = q;
	if (hdl_quic_session(q) < 0) {
		hdl_quic_free(q);
		return NULL;
	}
	return q;
}

static struct hdl_quic *begun(struct hdl_quic *q, int r)
{
	if (r != 0) {
		q->conn = NULL;
		hdl_quic_free(q);
		return NULL;
	}
	ngtcp2_conn_set_tls_native_handle(q->conn, q->session);
	ngtcp2_conn_set_keep_alive_timeout(q->conn, HDL_KEEP_ALIVE);
	return q;
}

struct hdl_quic *hdl_quic_open(struct libhd_peer *peer)
{
	struct hdl_quic *q = quic_new(peer, false);
	ngtcp2_transport_params params;
	ngtcp2_settings settings;
	ngtcp2_cid scid, dcid;
	uint8_t v[NGTCP2_MAX_CIDLEN];

	if (q == NULL)
		return NULL;
	settings_make(peer->h, &settings, &params);
	cid_make(q, &scid);
	randombytes_buf(v, sizeof(v));
	ngtcp2_cid_init(&dcid, v, sizeof(v));
	return begun(q, ngtcp2_conn_client_new(&q->conn, &dcid, &scid,
					       hdl_quic_path(),
					       NGTCP2_PROTO_VER_V1, &callbacks,
					       &settings, &params, &q->mem, q));
}

struct hdl_quic *hdl_quic_accept(struct libhd_peer *peer, const uint8_t *p,
				 size_t n)
{
	ngtcp2_transport_params params;
	ngtcp2_settings settings;
	struct hdl_quic *q;
	ngtcp2_pkt_hd hd;
	ngtcp2_cid scid;

	if (ngtcp2_accept(&hd, p, n) != 0)
		return NULL;
	q = quic_new(peer, true);
	if (q == NULL)
		return NULL;
	settings_make(peer->h, &settings, &params);
	cid_make(q, &scid);
	q->first_dcid = hd.dcid;
	hdl_ng_first_dcid(&params, &hd.dcid);
	params.stateless_reset_token_present = 1;
	hdl_quic_token(peer, scid.data, scid.datalen,
		       params.stateless_reset_token);
	return begun(q, ngtcp2_conn_server_new(&q->conn, &hd.scid, &scid,
					       hdl_quic_path(), hd.version,
					       &callbacks, &settings, &params,
					       &q->mem, q));
}

/* ---- use ---- */

void hdl_quic_failed(struct hdl_quic *q, int liberr)
{
	q->liberr = liberr;
	/* nobody is there to be told */
	q->told = liberr == NGTCP2_ERR_IDLE_CLOSE;
	if (liberr == NGTCP2_ERR_IDLE_CLOSE ||
	    liberr == NGTCP2_ERR_HANDSHAKE_TIMEOUT)
		q->error = -ETIMEDOUT;
	else if (liberr == NGTCP2_ERR_NOMEM)
		q->error = -ENOMEM;
	else /* before it is up: another key, or ours is not wanted */
		q->error = q->up ? -EPROTO : -ECONNREFUSED;
}

/* The other end has ended it, and says why. */
static void ended(struct hdl_quic *q)
{
	struct hdl_ng_why why = hdl_ng_closed(q->conn);

	q->told = true;
	q->well = hdl_ng_is_ours(&why, 0);
	/* who dials is up before the other end has seen its key */
	q->moves = q->up && !hdl_ng_is_alert(&why);
	q->error = q->moves ? -ECONNRESET : -ECONNREFUSED;
}

void hdl_quic_read(struct hdl_quic *q, const uint8_t *p, size_t n)
{
	ngtcp2_pkt_info info = { 0 };
	uint64_t before;
	int r;

	if (q->error != 0)
		return;
	q->heard = true;
	before = q->doubted ? hdl_ng_in_flight(q->conn) : 0;
	r = ngtcp2_conn_read_pkt(q->conn, hdl_quic_path(), &info, p, n,
				 hdl_quic_now());
	if (q->doubted && hdl_ng_in_flight(q->conn) < before)
		q->doubted = q->gone = false; /* acknowledged */
	if (r == NGTCP2_ERR_DRAINING)
		ended(q);
	else if (r == NGTCP2_ERR_DROP_CONN)
		q->error = -ECONNREFUSED, q->told = true;
	else if (r != 0)
		hdl_quic_failed(q, r);
}

void hdl_quic_expired(struct hdl_quic *q)
{
	int r;

	if (q->error != 0 || ngtcp2_conn_get_expiry(q->conn) > hdl_quic_now())
		return;
	r = ngtcp2_conn_handle_expiry(q->conn, hdl_quic_now());
	if (r != 0)
		hdl_quic_failed(q, r);
}

void hdl_quic_free(struct hdl_quic *q)
{
	struct hdl_quic **at = &q->peer->quic;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	if (q->conn != NULL)
		ngtcp2_conn_del(q->conn);
	if (q->session != NULL)
		gnutls_deinit(q->session);
	hdl_streams_orphan(q);
	free(q);
}
