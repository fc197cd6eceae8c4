/* SPDX-License-Identifier: MIT */
/* modules/derp/frames.c - the frame table; packets.c has a shorter way. A known
 * frame is judged by its header, at once; unknown ones are swallowed at any
 * length without being kept. Context: the stream's worker. */
#include "modules/derp/derp.h"
#include <errno.h>
#include <hyper-derp/derp_realms.h>
#include <hyper-derp/log.h>
#include <hyper-derp/relay.h>

#define likely(x) __builtin_expect(!!(x), 1)

/* derper: 60 s and up to 5 s, drawn once per connection. */
#define KEEPALIVE_JITTER_MAX_MS 5000
#define KEEPALIVE_JITTER_PART 12

/* Longer texts are cut: it is one line in somebody's status output. */
#define HEALTH_MAX_BYTES 1024

/* ---- the table ---- */

struct derp_frame {
	const char *name; /* NULL: not for a server to read */
	uint32_t min_bytes, max_bytes;
	bool privileged; /* for other relays only */
	enum derp_phase phase;
	/* Returns 0; negative errno: refused, the stream closes. NULL for
	 * packets, which derp_take_packets() has taken before. */
	int (*take)(struct hd_module *mod, struct hd_stream *s,
		    struct derp_state *d, uint8_t *p, uint32_t len_bytes);
};

static int take_note_preferred(struct hd_module *mod, struct hd_stream *s,
			       struct derp_state *d, uint8_t *p,
			       uint32_t len_bytes)
{
	bool preferred = p[0] != 0;

	(void)len_bytes;
	if (preferred != d->preferred)
		hd_gauge_add(&derp_metrics(mod, s)->clients_home,
			     preferred ? 1 : -1);
	d->preferred = preferred;
	return 0;
}

/* In the urgent lane: a burst of pings may cost its oldest answers, as it does
 * with derper, but never the connection. */
static int take_ping(struct hd_module *mod, struct hd_stream *s,
		     struct derp_state *d, uint8_t *p, uint32_t len_bytes)
{
	uint8_t *out =
		hd_stream_reserve(s, HD_LANE_URGENT, DERP_PONG_FRAME_BYTES);

	(void)len_bytes;
	hd_count(&derp_metrics(mod, s)->pings, 1);
	if (out != NULL) {
		derp_ping_put(out, DERP_PONG, p);
		hd_stream_commit(s, DERP_PONG_FRAME_BYTES);
	}
	derp_realms_look(s, d);
	return 0;
}

static const struct derp_frame frames[] = {
	[DERP_CLIENT_INFO] = { "ClientInfo", DERP_CLIENT_INFO_MIN_BYTES,
			       DERP_CLIENT_INFO_MAX_BYTES, false, DERP_LOGIN,
			       derp_login },
	[DERP_SEND_PACKET] = { "SendPacket", HD_KEY_BYTES,
			       HD_KEY_BYTES + DERP_PACKET_MAX_BYTES, false,
			       DERP_OPEN, NULL },
	[DERP_NOTE_PREFERRED] = { "NotePreferred", 1, 1, false, DERP_OPEN,
				  take_note_preferred },
	[DERP_PING] = { "Ping", DERP_PING_MIN_BYTES, DERP_PING_MAX_BYTES, false,
			DERP_OPEN, take_ping },
	[DERP_FORWARD_PACKET] = { "ForwardPacket", 2 * HD_KEY_BYTES,
				  2 * HD_KEY_BYTES + DERP_PACKET_MAX_BYTES,
				  true, DERP_OPEN, NULL },
	[DERP_WATCH_CONNS] = { "WatchConns", 0, 0, true, DERP_OPEN,
			       derp_take_watch },
	[DERP_CLOSE_PEER] = { "ClosePeer", HD_KEY_BYTES, HD_KEY_BYTES, true,
			      DERP_OPEN, derp_take_close },
	[DERP_REALMS] = { "Realms", 0, DERP_REALMS_MAX_BYTES, true, DERP_OPEN,
			  derp_take_realms },
	[DERP_REALM_FORWARD] = { "RealmForward", DERP_REALM_FORWARD_MIN_BYTES,
				 DERP_REALM_FORWARD_MAX_BYTES, true, DERP_OPEN,
				 derp_take_realm_forward },
};

static const struct derp_frame *frame_find(const struct derp_state *d,
					   uint8_t type)
{
	const struct derp_frame *f;

	if (type >= HD_ARRAY_N(frames))
		return NULL;
	f = &frames[type];
	return f->name != NULL && f->phase == d->phase ? f : NULL;
}

/* ---- the receive loop ---- */

/* Before the login any frame but ClientInfo, which is why f may be NULL. */
static int login_refuse(struct hd_module *mod, struct hd_stream *s)
{
	derp_login_refused(mod, s, DERP_REFUSED_FRAME);
	return -EPROTO;
}

static int frame_refuse(struct hd_module *mod, struct hd_stream *s,
			const struct derp_state *d, const struct derp_frame *f,
			struct derp_header h)
{
	bool privileged = f->privileged && !d->mesh;
	struct derp_numbers *numbers = derp_metrics(mod, s);
	char from[HD_ADDR_TEXT_BYTES];

	hd_count(privileged ? &numbers->refused_privileged
			    : &numbers->refused_length,
		 1);
	hd_log_info("frame refused: from=%s key=%s frame=%s length=%u "
		    "reason=\"%s\"",
		    hd_addr_text(hd_stream_addr(s), from),
		    hd_key_text(hd_peer_key(d->peer)).s, f->name, h.len_bytes,
		    privileged ? "needs the mesh key" : "length");
	hd_stream_close(s,
			HD_CLOSE_OWN(privileged ? DERP_REASON_FRAME_PRIVILEGED
						: DERP_REASON_FRAME_LENGTH));
	return -EPROTO;
}

static bool frame_ok(const struct derp_state *d, const struct derp_frame *f,
		     struct derp_header h)
{
	return (!f->privileged || d->mesh) && h.len_bytes >= f->min_bytes &&
	       h.len_bytes <= f->max_bytes;
}

/* Returns the bytes of the payload that are here: the frame is dealt with. */
static int64_t frame_skip(struct hd_module *mod, struct hd_stream *s,
			  struct derp_state *d, uint32_t len_bytes,
			  size_t have_bytes)
{
	uint32_t n = (uint32_t)HD_MIN((size_t)len_bytes, have_bytes);

	hd_count(&derp_metrics(mod, s)->unknown_frames, 1);
	d->skip_bytes = len_bytes - n;
	return n;
}

/* @p  a header and what came behind it: n bytes
 * Returns the bytes of the payload that were used; -EAGAIN come again with the
 * whole frame; other negative errno: refused, the stream closes. */
static int64_t frame_take(struct hd_module *mod, struct hd_stream *s,
			  struct derp_state *d, uint8_t *p, size_t n)
{
	struct derp_header h = derp_header_get(p);
	const struct derp_frame *f = frame_find(d, h.type);
	int r;

	if (f == NULL && d->phase == DERP_OPEN)
		return frame_skip(mod, s, d, h.len_bytes,
				  n - DERP_HEADER_BYTES);
	if (d->phase == DERP_LOGIN && (f == NULL || !frame_ok(d, f, h)))
		return login_refuse(mod, s);
	if (!frame_ok(d, f, h))
		return frame_refuse(mod, s, d, f, h);
	if (n - DERP_HEADER_BYTES < h.len_bytes) {
		hd_stream_want(s, DERP_HEADER_BYTES + (size_t)h.len_bytes);
		return -EAGAIN;
	}
	hd_assert(f->take != NULL);
	r = f->take(mod, s, d, p + DERP_HEADER_BYTES, h.len_bytes);
	return r < 0 ? r : (int64_t)h.len_bytes;
}

static size_t skip(struct derp_state *d, size_t n)
{
	size_t used = HD_MIN(n, (size_t)d->skip_bytes);

	d->skip_bytes -= (uint32_t)used;
	return used;
}

static size_t derp_data(struct hd_module *mod, struct hd_stream *s, void *state,
			uint8_t *p, size_t n)
{
	struct derp_state *d = state;
	size_t used = skip(d, n);

	if (d->phase == DERP_CLOSED)
		return n;
	/* Any frame makes its connection the active one among duplicates. */
	if (d->phase == DERP_OPEN && n - used >= DERP_HEADER_BYTES)
		hd_peer_active(d->peer);
	while (d->phase != DERP_ADMITTING) {
		int64_t r;

		if (likely(d->phase == DERP_OPEN))
			used += derp_take_packets(mod, s, d, p + used,
						  n - used);
		if (n - used < DERP_HEADER_BYTES)
			break;
		r = frame_take(mod, s, d, p + used, n - used);
		if (r == -EAGAIN)
			break;
		if (r < 0) {
			d->phase = DERP_CLOSED;
			return n;
		}
		used += DERP_HEADER_BYTES + (size_t)r;
	}
	return used;
}

/* ---- life of a connection ---- */

static void keep_alive_arm(struct hd_module *mod, struct hd_stream *s,
			   const struct derp_state *d)
{
	const struct derp_conf *conf =
		hd_module_worker_conf(mod, hd_stream_worker(s));
	uint64_t ms = d->proxied ? HD_MIN(conf->keepalive_ms,
					  conf->keepalive_proxied_ms)
				 : conf->keepalive_ms;
	uint64_t range_ms = HD_MIN(ms / KEEPALIVE_JITTER_PART,
				   (uint64_t)KEEPALIVE_JITTER_MAX_MS);

	hd_stream_timer(s, DERP_TIMER_KEEP_ALIVE,
			(uint32_t)(ms + (range_ms * d->jitter >> 16)));
}

static void derp_timer(struct hd_module *mod, struct hd_stream *s, void *state,
		       unsigned which)
{
	uint8_t frame[DERP_HEADER_BYTES];

	(void)which; /* there is one */
	derp_header_put(frame, DERP_KEEP_ALIVE, 0);
	if (!hd_stream_is_leaving(s)) {
		hd_stream_append(s, HD_LANE_CONTROL, frame, sizeof(frame));
		hd_count(&derp_metrics(mod, s)->keep_alives, 1);
	}
	keep_alive_arm(mod, s, state);
}

static void log_mesh(const struct hd_stream *s, const struct hd_peer *peer)
{
	char from[HD_ADDR_TEXT_BYTES];

	hd_log_notice("another relay has logged in, by %s: from=%s key=%s",
		      hd_peer_has_mesh_key(peer) ? "the mesh key"
						 : "a module's word",
		      hd_addr_text(hd_stream_addr(s), from),
		      hd_key_text(hd_peer_key(peer)).s);
}

/* A module may have said another thing than the mesh key. */
static void take_role(struct derp_state *d, struct hd_peer *peer)
{
	const struct hd_login *login = hd_peer_login(peer);

	if (!login->mesh)
		d->realms = 0;
	if (d->mesh == login->mesh)
		return;
	d->mesh = login->mesh;
	hd_peer_set_flags(peer, derp_present_flags(d, login->prober));
}

static void derp_admitted(struct hd_module *mod, struct hd_stream *s,
			  void *state, struct hd_peer *peer)
{
	struct derp_state *d = state;

	d->peer = peer;
	d->phase = DERP_OPEN;
	take_role(d, peer);
	d->jitter = (uint16_t)randombytes_random();
	hd_stream_append(s, HD_LANE_CONTROL, d->server_info,
			 sizeof(d->server_info));
	keep_alive_arm(mod, s, d);
	derp_count_client(derp_metrics(mod, s), d);
	if (d->mesh)
		log_mesh(s, peer);
	if (d->realms != 0)
		derp_realms_tell(s, d);
}

static void derp_closed(struct hd_module *mod, struct hd_stream *s, void *state,
			enum hd_close why)
{
	const struct derp_state *d = state;
	struct derp_numbers *numbers = derp_metrics(mod, s);

	if (d->peer == NULL) {
		hd_count(&numbers->logins_refused[DERP_REFUSED_TIMEOUT],
			 why == HD_CLOSE_TIMEOUT);
		hd_count(&numbers->logins_refused[DERP_REFUSED_DENIED],
			 why == HD_CLOSE_DENIED);
		return;
	}
	hd_gauge_add(&numbers->clients, -1);
	hd_gauge_add(&numbers->clients_home, -(int)d->preferred);
	hd_gauge_add(&numbers->clients_not_ideal, -(int)d->not_ideal);
	hd_gauge_add(&numbers->mesh_peers, -(int)d->mesh);
}

/* ---- what the relay tells a peer ---- */

static void derp_deliver(struct hd_module *mod, struct hd_peer *peer,
			 const struct hd_packet *packet)
{
	struct hd_stream *s = hd_peer_stream(peer);
	size_t n = DERP_PACKET_HEAD_BYTES + packet->len_bytes;
	uint8_t *out;

	(void)mod;
	if (packet->urgent &&
	    hdp_has_bridge_mark(packet->data, packet->len_bytes))
		return; /* for HD's clients: hd.bridge */
	out = hd_stream_reserve(
		s, packet->urgent ? HD_LANE_URGENT : HD_LANE_BULK, n);
	if (out == NULL)
		return; /* dropped; the core has counted it */
	out = derp_packet_head_put(out, DERP_RECV_PACKET, packet->src,
				   packet->len_bytes);
	memcpy(out, packet->data, packet->len_bytes);
	hd_stream_commit(s, n);
}

static void derp_gone(struct hd_module *mod, struct hd_peer *peer,
		      const struct hd_key *other, enum hd_gone why)
{
	bool absent = why == HD_GONE_NOT_HERE;
	struct hd_stream *s = hd_peer_stream(peer);
	struct derp_numbers *numbers = derp_metrics(mod, s);
	uint8_t frame[DERP_PEER_GONE_BYTES];

	derp_peer_gone_put(frame, other,
			   absent ? DERP_GONE_NOT_HERE
				  : DERP_GONE_DISCONNECTED);
	hd_count(absent ? &numbers->gone_not_here : &numbers->gone_disconnected,
		 1);
	hd_stream_append(s, HD_LANE_CONTROL, frame, sizeof(frame));
}

static void derp_drain(struct hd_module *mod, struct hd_peer *peer,
		       uint32_t reconnect_in_ms, uint32_t try_for_ms)
{
	uint8_t frame[DERP_RESTARTING_BYTES];

	(void)mod;
	derp_restarting_put(frame, reconnect_in_ms, try_for_ms);
	hd_stream_append(hd_peer_stream(peer), HD_LANE_CONTROL, frame,
			 sizeof(frame));
}

static void derp_health(struct hd_module *mod, struct hd_peer *peer,
			const char *text)
{
	uint32_t n = (uint32_t)strnlen(text, HEALTH_MAX_BYTES);
	uint8_t frame[DERP_HEADER_BYTES + HEALTH_MAX_BYTES];

	(void)mod;
	memcpy(derp_header_put(frame, DERP_HEALTH, n), text, n);
	hd_stream_append(hd_peer_stream(peer), HD_LANE_CONTROL, frame,
			 DERP_HEADER_BYTES + n);
}

static const struct hd_peer_ops peer_ops = {
	.deliver = derp_deliver,
	.gone = derp_gone,
	.drain = derp_drain,
	.health = derp_health,
	.presence = derp_presence,
};

const struct hd_proto derp_proto = {
	.name = "derp",
	.state_size = sizeof(struct derp_state),
	.data = derp_data,
	.timer = derp_timer,
	.admitted = derp_admitted,
	.closed = derp_closed,
	.peer = &peer_ops,
	.adopted = derp_adopted,
};
