/* SPDX-License-Identifier: MIT */
/* core/stream/stream_snap.c - a stream is written down for another process. */
#include "core/stream/stream_snap.h"
#include <string.h>
#include "core/base/snap_format.h"
#include "core/net/listener.h"
#include "core/stream/proxied.h"
#include "core/stream/stream_life.h"
#include "core/stream/stream_snap_fields.h"
#include "core/stream/ws.h"
#include "core/tls/tls.h"
#include "core/tls/tls_snap.h"

const char *const hd_deadline_names[HD_DEADLINES] = {
	"module0",
	"module1",
	"module2",
	"module3",
	[HD_DEADLINE_LOGIN] = "login",
	[HD_DEADLINE_WRITE] = "write",
	[HD_DEADLINE_PAUSE] = "pause",
	[HD_DEADLINE_MESSAGE] = "message",
	[HD_DEADLINE_PING] = "ping",
	[HD_DEADLINE_CLOSE] = "close",
	[HD_DEADLINE_DRAIN] = "drain",
};
_Static_assert(HD_STREAM_TIMERS == 4, "each has a name");

const char *const hd_queue_names[HD_LANE_N + 1] = {
	[HD_LANE_CONTROL] = "control",
	[HD_LANE_URGENT] = "urgent",
	[HD_LANE_BULK] = "bulk",
	[HD_LANE_N] = "flight",
};

const char *hd_stream_stays(const struct hd_stream *s)
{
	if (!hd_stream_is_open(s))
		return "closing";
	if (s->handshaking || s->proxy_due || s->hello_due || s->unopened)
		return "connecting";
	if (s->mod == NULL)
		return "HTTP";
	if (s->ws != NULL && hd_ws_stays(s->ws) != NULL)
		return hd_ws_stays(s->ws);
	return s->tls != NULL ? hd_tls_stays(s->tls) : NULL;
}

void hd_listener_id(const struct hd_listener *l,
		    uint8_t ret[static HD_LISTENER_ID_BYTES])
{
	bool v6 = l->addr.sa.sa_family == AF_INET6;

	memset(ret, 0, HD_LISTENER_ID_BYTES);
	memcpy(ret, v6 ? &l->addr.in6.sin6_port : &l->addr.in.sin_port, 2);
	ret[2] = l->tls;
	ret[3] = v6 ? 6 : 4;
	if (v6)
		memcpy(ret + 4, &l->addr.in6.sin6_addr, 16);
	else
		memcpy(ret + 4, &l->addr.in.sin_addr, 4);
}

static void pack_queue(const struct hd_queue *q, const char *name,
		       struct hd_snap *to)
{
	if (q->first == NULL)
		return;
	size_t at = hd_snap_begin(to, HD_SNAP_STREAM_QUEUE);

	hd_snap_text(to, HD_SNAP_QUEUE_NAME, name);
	for (const struct hd_chunk *c = q->first; c != NULL; c = c->next) {
		size_t in = hd_snap_begin(to, HD_SNAP_CHUNK);

		hd_snap_number(to, HD_SNAP_CHUNK_FRAMES, c->frames);
		hd_snap_number(to, HD_SNAP_CHUNK_RAW, c->raw);
		hd_snap_bytes(to, HD_SNAP_CHUNK_BYTES, c->data + c->head,
			      hd_chunk_len(c));
		hd_snap_end(to, in);
	}
	hd_snap_end(to, at);
}

static uint64_t flags_of(const struct hd_stream *s)
{
	return (s->rx_eof ? HD_STREAM_RX_EOF : 0) |
	       (s->rx_hup ? HD_STREAM_RX_HUP : 0) |
	       (s->rx_held ? HD_STREAM_RX_HELD : 0) |
	       (s->rx_paused ? HD_STREAM_RX_PAUSED : 0) |
	       (s->trusted ? HD_STREAM_TRUSTED : 0) |
	       (s->tls != NULL ? HD_STREAM_TLS : 0);
}

static void pack_proxied(const struct hd_proxied *p, struct hd_snap *to)
{
	if (p == NULL)
		return;
	hd_snap_bytes(to, HD_SNAP_STREAM_PROXY, &p->proxy, sizeof(p->proxy));
	hd_snap_bytes(to, HD_SNAP_STREAM_NAMED, &p->named, sizeof(p->named));
}

void hd_stream_pack(const struct hd_stream *s, struct hd_snap *to)
{
	uint8_t id[HD_LISTENER_ID_BYTES];

	hd_assert(s->output != HD_OUTPUT_SENDING && s->reserved == NULL);
	hd_listener_id(s->listener, id);
	hd_snap_text(to, HD_SNAP_STREAM_MODULE, s->mod->name);
	hd_snap_text(to, HD_SNAP_STREAM_PROTO, s->proto->name);
	hd_snap_bytes(to, HD_SNAP_STREAM_LISTENER, id, sizeof(id));
	hd_snap_number(to, HD_SNAP_STREAM_FLAGS, flags_of(s));
	hd_snap_bytes(to, HD_SNAP_STREAM_STATE, s->state, s->proto->state_size);
	hd_snap_struct(to, hd_stream_fields, HD_STREAM_FIELDS, s);
	if (s->kept != NULL)
		hd_snap_bytes(to, HD_SNAP_STREAM_KEPT,
			      s->kept->data + s->kept->head,
			      hd_chunk_len(s->kept));
	for (unsigned i = 0; i < HD_LANE_N; i++)
		pack_queue(&s->lane[i], hd_queue_names[i], to);
	pack_queue(&s->flight, hd_queue_names[HD_LANE_N], to);
	if (s->tls != NULL)
		hd_tls_pack(s->tls, to);
	if (s->ws != NULL)
		hd_ws_pack(s->ws, to);
	pack_proxied(s->proxied, to);
}

void hd_stream_given(struct hd_stream *s)
{
	hd_stream_unlist(s);
	hd_tls_free(&s->tls);
	s->user = NULL;
	s->phase = HD_PHASE_ABORTED; /* takes nothing more */
	s->output = HD_OUTPUT_BLOCKED; /* and nobody flushes it */
}
