/* SPDX-License-Identifier: MIT */
/* modules/wg/tell.c - what an operator hears about tunnels. */
#include <hyper-derp/event.h>
#include <hyper-derp/log.h>
#include <jansson.h>
#include <stdlib.h>
#include "modules/wg/state.h"

const struct hd_event_def wg_events[] = {
	{ "wg.confirmed", "two peers have a session" },
	{ "wg.ended", "a session is over, and why" },
	{ "wg.link_added", "two peers may talk to each other" },
	{ "wg.link_removed", "two peers may no longer" },
	{ "wg.moved", "a peer has another address" },
	{ "wg.peer_added", "a peer is registered" },
	{ "wg.peer_removed", "a peer is no longer" },
	{ "wg.peer_updated", "a peer has another key, endpoint or label" },
	{ .name = NULL },
};

/* @json  taken; NULL when out of memory */
static void event(const char *name, json_t *json)
{
	char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;

	if (text != NULL)
		hd_event(name, text);
	free(text);
	json_decref(json);
}

void wg_tell_confirmed(const struct wg_engine *e, const struct wg_session *s)
{
	const struct wg_link *l = wg_link(e, s->link);
	unsigned i = s->initiator;
	const char *from = wg_peer(e, l->peer[i])->name;
	const char *to = wg_peer(e, l->peer[!i])->name;
	char a[HD_ADDR_TEXT_BYTES], b[HD_ADDR_TEXT_BYTES];

	wg_addr_text(&s->end[i].addr, a);
	wg_addr_text(&s->end[!i].addr, b);
	hd_log_info("wg: session confirmed: initiator=%s addr=%s responder=%s "
		    "addr=%s",
		    from, a, to, b);
	if (hd_event_wanted())
		event("wg.confirmed",
		      json_pack("{ssssssss}", "initiator", from,
				"initiator_addr", a, "responder", to,
				"responder_addr", b));
}

void wg_tell_ended(const struct wg_engine *e, const struct wg_session *s,
		   const char *why)
{
	const struct wg_link *l = wg_link(e, s->link);
	const char *a = wg_peer(e, l->peer[0])->name;
	const char *b = wg_peer(e, l->peer[1])->name;
	json_int_t seconds = (json_int_t)(e->now_ms - s->made_ms) / 1000;

	hd_log_info("wg: session ended: a=%s b=%s seconds=%jd reason=\"%s\"", a,
		    b, (intmax_t)seconds, why);
	if (hd_event_wanted())
		event("wg.ended",
		      json_pack("{sssssssI}", "a", a, "b", b, "reason", why,
				"seconds", seconds));
}

void wg_tell_moved(const struct wg_engine *e, const struct wg_peer *p,
		   const struct wg_addr *old, const char *proof)
{
	char from[HD_ADDR_TEXT_BYTES], to[HD_ADDR_TEXT_BYTES];

	(void)e;
	wg_addr_text(old, from);
	wg_addr_text(&p->endpoint, to);
	hd_log_info("wg: peer moved: peer=%s from=%s to=%s proof=\"%s\"",
		    p->name, from, to, proof);
	if (hd_event_wanted())
		event("wg.moved",
		      json_pack("{ssssssss}", "peer", p->name, "from", from,
				"to", to, "proof", proof));
}

/* A handshake in the names of two peers whose own tunnel goes on. */
void wg_tell_denied(const struct wg_engine *e, const struct wg_session *s)
{
	const struct wg_link *l = wg_link(e, s->link);
	char a[HD_ADDR_TEXT_BYTES], b[HD_ADDR_TEXT_BYTES];

	hd_log_warn("wg: two strangers in the place of peers: a=%s addr=%s "
		    "b=%s addr=%s: the tunnel of a and b goes on elsewhere",
		    wg_peer(e, l->peer[0])->name,
		    wg_addr_text(&s->end[0].addr, a),
		    wg_peer(e, l->peer[1])->name,
		    wg_addr_text(&s->end[1].addr, b));
}
