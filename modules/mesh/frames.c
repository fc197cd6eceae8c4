/* SPDX-License-Identifier: MIT */
/* modules/mesh/frames.c - what another relay sends to us, and the packets that
 * go there. A known frame is judged by its header, at once; of unknown ones,
 * and of those that are not for a relay that only watches, nothing is kept.
 * Context: the link's worker. */
#include "modules/mesh/mesh.h"
#include <errno.h>
#include <hyper-derp/derp_realms.h>
#include <hyper-derp/log.h>
#include <hyper-derp/relay.h>
#include <stdio.h>
#include <string.h>

/* derper's frames have grown before: what stands behind the fields that are
 * known is ignored, up to here. */
#define FRAME_MAX_BYTES 4096
#define SERVER_INFO_MAX_BYTES 65536
#define PRESENT_FLAGS_AT (HD_KEY_BYTES + 16 + 2) /* older ones have none */

/* ---- keys ---- */

static bool is_relay(const uint8_t *p, uint32_t len_bytes)
{
	return len_bytes > PRESENT_FLAGS_AT &&
	       (p[PRESENT_FLAGS_AT] & DERP_PRESENT_MESH) != 0;
}

/* Said once: it may go on for millions. */
int mesh_take_no_more(struct mesh_link *l, struct hd_stream *s,
		      const char *what)
{
	if (!l->full)
		hd_log_warn("mesh: too many %s, the rest is not reached: "
			    "member=%s keys=%u",
			    what, l->to.name, hd_link_keys(s));
	l->full = true;
	return 0;
}

int mesh_key_add(struct hd_module *mod, struct hd_stream *s,
		 struct mesh_stream *ms, uint16_t realm,
		 const struct hd_key *key)
{
	int r = hd_link_add(s, realm, key);

	if (r == -ENOSPC)
		return mesh_take_no_more(ms->link, s, "keys");
	return r < 0 ? mesh_link_wrong(mod, s, MESH_REASON_FRAME, false,
				       "a key is not taken: %s", strerror(-r))
		     : 0;
}

int mesh_key_del(struct hd_module *mod, struct hd_stream *s, uint16_t realm,
		 const struct hd_key *key)
{
	int r = hd_link_del(s, realm, key);

	return r < 0 ? mesh_link_wrong(mod, s, MESH_REASON_FRAME, false,
				       "a key is not taken away: %s",
				       strerror(-r))
		     : 0;
}

/* The first one says that it accepts our mesh key: we are in its list, too.
 * Other relays are not for clients to reach. */
static int take_present(struct hd_module *mod, struct hd_stream *s,
			struct mesh_stream *ms, uint8_t *p, uint32_t len_bytes)
{
	if (ms->link->state != MESH_UP)
		mesh_link_up(mod, s);
	if (is_relay(p, len_bytes))
		return 0;
	return mesh_key_add(mod, s, ms, MESH_REALM, (const struct hd_key *)p);
}

static int take_gone(struct hd_module *mod, struct hd_stream *s,
		     struct mesh_stream *ms, uint8_t *p, uint32_t len_bytes)
{
	(void)ms, (void)len_bytes;
	return mesh_key_del(mod, s, MESH_REALM, (const struct hd_key *)p);
}

/* ---- what it says of itself ---- */

static int take_nothing(struct hd_module *mod, struct hd_stream *s,
			struct mesh_stream *ms, uint8_t *p, uint32_t len_bytes)
{
	(void)mod, (void)s, (void)ms, (void)p, (void)len_bytes;
	return 0;
}

/* For a line of the log, so nothing that could forge one gets through. */
static int take_health(struct hd_module *mod, struct hd_stream *s,
		       struct mesh_stream *ms, uint8_t *p, uint32_t len_bytes)
{
	struct mesh_link *l = ms->link;
	size_t n = HD_MIN((size_t)len_bytes, sizeof(l->health) - 1);

	(void)mod, (void)s;
	for (size_t i = 0; i < n; i++)
		l->health[i] = (char)(p[i] >= ' ' && p[i] <= '~' ? p[i] : '?');
	l->health[n] = '\0';
	if (n > 0)
		hd_log_notice("mesh: another relay says: member=%s text=\"%s\"",
			      l->to.name, l->health);
	return 0;
}

static int take_restarting(struct hd_module *mod, struct hd_stream *s,
			   struct mesh_stream *ms, uint8_t *p,
			   uint32_t len_bytes)
{
	(void)mod, (void)s, (void)len_bytes;
	hd_log_notice("mesh: another relay is about to stop: member=%s "
		      "back_in_ms=%u",
		      ms->link->to.name, derp_get_u32(p));
	return 0;
}

/* ---- the table ---- */

struct frame {
	const char *name; /* NULL: not for us */
	uint32_t min_bytes, max_bytes;
	enum mesh_phase phase;
	int (*take)(struct hd_module *mod, struct hd_stream *s,
		    struct mesh_stream *ms, uint8_t *p, uint32_t len_bytes);
};

static const struct frame frames[] = {
	[DERP_SERVER_KEY] = { "ServerKey", DERP_MAGIC_BYTES + HD_KEY_BYTES,
			      FRAME_MAX_BYTES, MESH_KEY, mesh_take_key },
	[DERP_SERVER_INFO] = { "ServerInfo", DERP_NONCE_BYTES + DERP_MAC_BYTES,
			       SERVER_INFO_MAX_BYTES, MESH_INFO,
			       mesh_take_info },
	[DERP_KEEP_ALIVE] = { "KeepAlive", 0, FRAME_MAX_BYTES, MESH_OPEN,
			      take_nothing },
	[DERP_PEER_GONE] = { "PeerGone", HD_KEY_BYTES, FRAME_MAX_BYTES,
			     MESH_OPEN, take_gone },
	[DERP_PEER_PRESENT] = { "PeerPresent", HD_KEY_BYTES, FRAME_MAX_BYTES,
				MESH_OPEN, take_present },
	[DERP_PING] = { "Ping", DERP_PING_MIN_BYTES, DERP_PING_MAX_BYTES,
			MESH_OPEN, mesh_take_ping },
	[DERP_PONG] = { "Pong", DERP_PONG_BYTES, DERP_PING_MAX_BYTES, MESH_OPEN,
			mesh_take_pong },
	[DERP_HEALTH] = { "Health", 0, FRAME_MAX_BYTES, MESH_OPEN,
			  take_health },
	[DERP_RESTARTING] = { "Restarting", 8, FRAME_MAX_BYTES, MESH_OPEN,
			      take_restarting },
	[DERP_REALMS] = { "Realms", 0, DERP_REALMS_MAX_BYTES, MESH_OPEN,
			  mesh_take_realms },
	[DERP_REALM_PRESENT] = { "RealmPresent", HD_KEY_BYTES + 1,
				 FRAME_MAX_BYTES, MESH_OPEN,
				 mesh_take_realm_present },
	[DERP_REALM_GONE] = { "RealmGone", HD_KEY_BYTES + 1, FRAME_MAX_BYTES,
			      MESH_OPEN, mesh_take_realm_gone },
};

static const struct frame *find(const struct mesh_stream *ms, uint8_t type)
{
	const struct frame *f =
		type < HD_ARRAY_N(frames) ? &frames[type] : NULL;

	return f != NULL && f->name != NULL && f->phase == ms->phase ? f : NULL;
}

static int64_t skip_new(struct mesh_stream *ms, uint32_t len_bytes, size_t have)
{
	uint32_t n = (uint32_t)HD_MIN((size_t)len_bytes, have);

	ms->skip_bytes = len_bytes - n;
	return DERP_HEADER_BYTES + (int64_t)n;
}

/* @p  a header and what came behind it: n bytes
 * Returns the bytes used; 0: more must come; -EPROTO: it closes. */
static int64_t take_frame(struct hd_module *mod, struct hd_stream *s,
			  struct mesh_stream *ms, uint8_t *p, size_t n)
{
	struct derp_header h = derp_header_get(p);
	const struct frame *f = find(ms, h.type);

	if (f == NULL && ms->phase == MESH_OPEN)
		return skip_new(ms, h.len_bytes, n - DERP_HEADER_BYTES);
	if (f == NULL)
		return mesh_link_wrong(mod, s, MESH_REASON_GREETING, true,
				       "it begins with a frame of type %02x, "
				       "not with %s",
				       h.type,
				       ms->phase == MESH_KEY ? "ServerKey"
							     : "ServerInfo");
	if (h.len_bytes < f->min_bytes || h.len_bytes > f->max_bytes)
		return mesh_link_wrong(mod, s, MESH_REASON_FRAME, false,
				       "a %s frame of %u bytes is against the "
				       "protocol",
				       f->name, h.len_bytes);
	if (n - DERP_HEADER_BYTES < h.len_bytes) {
		hd_stream_want(s, DERP_HEADER_BYTES + (size_t)h.len_bytes);
		return 0;
	}
	if (f->take(mod, s, ms, p + DERP_HEADER_BYTES, h.len_bytes) < 0)
		return -EPROTO;
	return DERP_HEADER_BYTES + (int64_t)h.len_bytes;
}

/* ---- the connection ---- */

static size_t skip(struct mesh_stream *ms, size_t n)
{
	size_t used = HD_MIN(n, (size_t)ms->skip_bytes);

	ms->skip_bytes -= (uint32_t)used;
	return used;
}

/* Returns as take_frame(). */
static int64_t take(struct hd_module *mod, struct hd_stream *s,
		    struct mesh_stream *ms, uint8_t *p, size_t n)
{
	if (ms->phase == MESH_HTTP)
		return mesh_take_http(mod, s, ms, p, n);
	return n >= DERP_HEADER_BYTES ? take_frame(mod, s, ms, p, n) : 0;
}

static size_t on_data(struct hd_module *mod, struct hd_stream *s, void *state,
		      uint8_t *p, size_t n)
{
	struct mesh_stream *ms = state;
	size_t used = skip(ms, n);

	ms->heard_ms = hd_now_ms(hd_stream_worker(s));
	while (ms->phase != MESH_CLOSED && used < n) {
		int64_t r = take(mod, s, ms, p + used, n - used);

		if (r == 0)
			return used;
		if (r > 0)
			used += (size_t)r;
	}
	return n;
}

static void on_timer(struct hd_module *mod, struct hd_stream *s, void *state,
		     unsigned which)
{
	struct mesh_stream *ms = state;

	if (ms->phase == MESH_CLOSED)
		return;
	if (which == MESH_TIMER_PING)
		mesh_health_tick(mod, s, ms);
	else if (which == MESH_TIMER_CUT)
		mesh_health_look(mod, s);
	else
		mesh_link_wrong(mod, s, MESH_REASON_GREETING, false,
				"it accepts connections, and says nothing that "
				"lets us in");
}

/* Returns NULL: there is no room, and the core has counted it. */
static inline uint8_t *reserve(struct hd_stream *s,
			       const struct hd_packet *packet, size_t n)
{
	return hd_stream_reserve(
		s, packet->urgent ? HD_LANE_URGENT : HD_LANE_BULK, n);
}

/* Returns whether there was room. */
static bool put_packet(struct hd_stream *s, const struct hd_packet *packet)
{
	size_t n = DERP_FORWARD_HEAD_BYTES + packet->len_bytes;
	uint8_t *out = reserve(s, packet, n);

	if (out == NULL)
		return false;
	out = derp_forward_head_put(out, packet->src, packet->dst,
				    packet->len_bytes);
	memcpy(out, packet->data, packet->len_bytes);
	hd_stream_commit(s, n);
	return true;
}

_Static_assert(DERP_HEADER_BYTES + DERP_REALM_FORWARD_MAX_BYTES <=
		       HD_FRAME_MAX_BYTES,
	       "the largest packet of the longest realm");

/* Only to who has told a key of that realm. Not a part of the other way. */
__attribute__((noinline)) static bool
put_packet_in(struct hd_stream *s, const struct hd_packet *packet)
{
	struct hd_realm_text realm = hd_realm_text(packet->realm);
	size_t n = derp_realm_forward_bytes(realm.s, packet->len_bytes);
	uint8_t *out = reserve(s, packet, n);

	if (out == NULL)
		return false;
	out = derp_realm_forward_head_put(out, packet, realm.s);
	memcpy(out, packet->data, packet->len_bytes);
	hd_stream_commit(s, n);
	return true;
}

static void on_forward(struct hd_module *mod, struct hd_stream *s,
		       const struct hd_packet *packet)
{
	struct mesh_stream *ms = hd_stream_state(s);

	(void)mod;
	if (!(packet->realm == MESH_REALM ? put_packet(s, packet)
					  : put_packet_in(s, packet)) ||
	    ms->link == NULL)
		return;
	ms->link->packets++;
	ms->link->bytes += packet->len_bytes;
}

const struct hd_proto mesh_proto = {
	.name = "mesh",
	.state_size = sizeof(struct mesh_stream),
	.data = on_data,
	.timer = on_timer,
	.closed = mesh_link_closed,
	.forward = on_forward,
};
