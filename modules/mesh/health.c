/* SPDX-License-Identifier: MIT */
/* modules/mesh/health.c - is the other relay still there? It is pinged, and who
 * says nothing for a while is closed: a network that swallows everything closes
 * no connection for minutes. Any byte counts, so that a list of a million keys
 * in front of a Pong does no harm. Sooner, the kernel knows of a network that
 * swallows what we send, and it is asked. Context: the link's worker. */
#include "modules/mesh/mesh.h"
#include <hyper-derp/log.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>

enum { CUT_LOOK_MS = 200 };

static const struct mesh_conf *conf_of(struct hd_module *mod,
				       const struct hd_stream *s)
{
	return hd_module_worker_conf(mod, hd_stream_worker(s));
}

void mesh_probe(struct hd_stream *s, struct mesh_stream *ms)
{
	uint8_t frame[DERP_PONG_FRAME_BYTES];

	randombytes_buf(ms->ping, sizeof(ms->ping));
	ms->ping_due = true;
	ms->ping_ns = hd_now_ns();
	derp_ping_put(frame, DERP_PING, ms->ping);
	hd_stream_append(s, HD_LANE_CONTROL, frame, sizeof(frame));
}

void mesh_health_begin(struct hd_module *mod, struct hd_stream *s,
		       struct mesh_stream *ms)
{
	mesh_probe(s, ms);
	hd_stream_timer(s, MESH_TIMER_PING, (uint32_t)conf_of(mod, s)->ping_ms);
	hd_stream_timer(s, MESH_TIMER_CUT, CUT_LOOK_MS);
}

void mesh_health_look(struct hd_module *mod, struct hd_stream *s)
{
	uint32_t unheard_ms = hd_link_unheard_ms(s);

	if (unheard_ms > 0)
		mesh_link_wrong(mod, s, MESH_REASON_SILENT, false,
				"nothing that is sent there is acknowledged, "
				"for %" PRIu32 " ms",
				unheard_ms);
	else
		hd_stream_timer(s, MESH_TIMER_CUT, CUT_LOOK_MS);
}

void mesh_health_tick(struct hd_module *mod, struct hd_stream *s,
		      struct mesh_stream *ms)
{
	const struct mesh_conf *conf = conf_of(mod, s);
	uint64_t silent_ms = hd_now_ms(hd_stream_worker(s)) - ms->heard_ms;

	if (silent_ms >= conf->silence_ms) {
		mesh_link_wrong(mod, s, MESH_REASON_SILENT, false,
				"it has said nothing for %" PRIu64 " ms",
				silent_ms);
		return;
	}
	mesh_realms_look(s, ms);
	mesh_link_show(s, ms->link);
	if (mesh_demand_ended(mod, hd_stream_worker(s), ms->link))
		return;
	if (!ms->ping_due)
		mesh_probe(s, ms);
	hd_stream_timer(s, MESH_TIMER_PING, (uint32_t)conf->ping_ms);
}

/* The urgent lane may lose it: who floods us with pings is not answered. */
int mesh_take_ping(struct hd_module *mod, struct hd_stream *s,
		   struct mesh_stream *ms, uint8_t *p, uint32_t len_bytes)
{
	uint8_t frame[DERP_PONG_FRAME_BYTES];

	(void)mod, (void)ms, (void)len_bytes;
	derp_ping_put(frame, DERP_PONG, p);
	hd_stream_append(s, HD_LANE_URGENT, frame, sizeof(frame));
	return 0;
}

int mesh_take_pong(struct hd_module *mod, struct hd_stream *s,
		   struct mesh_stream *ms, uint8_t *p, uint32_t len_bytes)
{
	struct mesh_link *l = ms->link;
	uint64_t ns = hd_now_ns() - ms->ping_ns;

	(void)len_bytes;
	if (!ms->ping_due || memcmp(p, ms->ping, sizeof(ms->ping)) != 0)
		return 0;
	ms->ping_due = false;
	if (l->state != MESH_UP && l->source == MESH_ON_DEMAND)
		mesh_link_up(mod, s);
	l->latency_ns = l->latency_ns != 0 ? (7 * l->latency_ns + ns) / 8 : ns;
	hd_observe(&mesh_numbers_of(l, hd_stream_worker(s))->latency, ns);
	return 0;
}
