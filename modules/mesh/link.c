/* SPDX-License-Identifier: MIT */
/* modules/mesh/link.c - the life of a link: dialled, up, lost, dialled again.
 * Context: its worker. */
#include "modules/mesh/mesh.h"
#include <errno.h>
#include <hyper-derp/event.h>
#include <hyper-derp/log.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	REFUSED_MAX_MS = 30000, /* between tries that cannot succeed */
	LASTING_MS = 10000, /* up for so long: the next loss is a new story */
	LOG_AGAIN_MS = 10 * 60 * 1000,
};

const char *mesh_state_text(enum mesh_state state)
{
	static const char *const texts[] = {
		[MESH_WAITING] = "waiting",   [MESH_DIALLING] = "dialling",
		[MESH_GREETING] = "greeting", [MESH_UP] = "up",
		[MESH_SELF] = "self",
	};

	return texts[state];
}

static void show_state(const struct mesh_link *l, struct hd_worker *w)
{
	struct mesh_numbers *n = mesh_numbers_of(l, w);
	bool up = l->state == MESH_UP;

	hd_gauge_set(&n->up, up);
	hd_gauge_set(&n->down, !up && l->state != MESH_SELF);
	if (!up)
		hd_gauge_set(&n->keys, 0);
}

static bool is_settled(enum mesh_state state)
{
	return state == MESH_UP || state == MESH_SELF;
}

/* One that is tried again and again has been down all the time. */
static void go(struct mesh_link *l, struct hd_worker *w, enum mesh_state state)
{
	if (l->since_ms == 0 || is_settled(l->state) || is_settled(state))
		l->since_ms = hd_now_ms(w);
	l->state = state;
	show_state(l, w);
}

void mesh_link_show(const struct hd_stream *s, struct mesh_link *l)
{
	struct mesh_numbers *n = mesh_numbers_of(l, hd_stream_worker(s));
	struct hd_link_about about;

	hd_link_about(s, &about);
	hd_count(&n->drops, about.drops - l->drops_shown);
	l->drops += about.drops - l->drops_shown;
	l->drops_shown = about.drops;
	hd_count(&n->packets, l->packets - l->packets_shown);
	hd_count(&n->bytes, l->bytes - l->bytes_shown);
	l->packets_shown = l->packets;
	l->bytes_shown = l->bytes;
	hd_gauge_set(&n->keys, hd_link_keys(s));
}

/* A member's name is a host and a port: nothing in it must be escaped. */
static void tell(const char *event, const struct mesh_link *l)
{
	char json[MESH_NAME_BYTES + 16];

	if (!hd_event_wanted())
		return;
	snprintf(json, sizeof(json), "{\"member\":\"%s\"}", l->to.name);
	hd_event(event, json);
}

/* ---- what goes wrong ---- */

/* The same again and again is said once in a while. */
static void log_error(struct mesh_link *l, struct hd_worker *w, bool was_up,
		      bool is_new, uint32_t retry_ms)
{
	uint64_t now_ms = hd_now_ms(w);

	if (!was_up && !is_new && now_ms - l->logged_ms < LOG_AGAIN_MS)
		return;
	l->logged_ms = now_ms;
	if (was_up)
		hd_log_warn("mesh: link lost: member=%s reason=\"%s\" "
			    "retry_in_ms=%" PRIu32,
			    l->to.name, l->error, retry_ms);
	else
		hd_log_warn("mesh: no link: member=%s reason=\"%s\"",
			    l->to.name, l->error);
}

static void set_error(struct mesh_link *l, struct hd_worker *w,
		      const char *text)
{
	snprintf(l->error, sizeof(l->error), "%s", text);
	l->error_ms = hd_now_ms(w);
}

static uint32_t retry_ms(struct hd_module *mod, struct hd_worker *w,
			 const struct mesh_link *l)
{
	const struct mesh_conf *conf = hd_module_worker_conf(mod, w);
	uint32_t max_ms =
		l->refused ? REFUSED_MAX_MS : (uint32_t)conf->retry_max_ms;

	return mesh_backoff_ms(l->tries, max_ms, randombytes_random());
}

/* @text  what was wrong */
static void lost(struct hd_module *mod, struct hd_worker *w,
		 struct mesh_link *l, const char *text)
{
	bool was_up = l->state == MESH_UP;
	bool is_new = strcmp(l->error, text) != 0 || l->logged_ms == 0;
	struct mesh_numbers *n = mesh_numbers_of(l, w);
	uint32_t ms;

	if (was_up && hd_now_ms(w) - l->since_ms >= LASTING_MS)
		l->tries = 0;
	ms = retry_ms(mod, w, l);
	l->tries++;
	hd_count(was_up ? &n->losses : &n->failures, 1);
	if (was_up)
		tell("mesh.lost", l);
	mesh_demand_forget(l);
	set_error(l, w, text);
	log_error(l, w, was_up, is_new, ms);
	go(l, w, MESH_WAITING);
	hd_timer_set(l->timer, ms);
}

/* From now on the connection is nobody's: what it still has to send may take
 * its time. */
static struct mesh_link *cut_off(struct hd_stream *s)
{
	struct mesh_stream *ms = hd_stream_state(s);
	struct mesh_link *l = ms->link;

	ms->phase = MESH_CLOSED;
	ms->link = NULL;
	if (l == NULL)
		return NULL; /* it was removed */
	mesh_link_show(s, l);
	l->stream = NULL;
	l->drops_shown = 0;
	l->latency_ns = 0;
	return l;
}

static void found_self(struct mesh_link *l, struct hd_worker *w,
		       const char *text)
{
	go(l, w, MESH_SELF);
	set_error(l, w, text);
	hd_log_notice("mesh: member %s is this relay itself, or another one "
		      "with a copy of its key (derp.key), which needs its own: "
		      "it is not dialled any more",
		      l->to.name);
}

int mesh_link_wrong(struct hd_module *mod, struct hd_stream *s,
		    enum mesh_reason why, bool refused, const char *fmt, ...)
{
	struct mesh_link *l = cut_off(s);
	struct hd_worker *w = hd_stream_worker(s);
	char text[sizeof(l->error)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	hd_stream_close(s, HD_CLOSE_OWN(why));
	if (l == NULL)
		return -EPROTO;
	l->refused = refused;
	if (why == MESH_REASON_SELF)
		found_self(l, w, text);
	else
		lost(mod, w, l, text);
	return -EPROTO;
}

/* ---- it connects ---- */

/* A module that is about to be reloaded may not dial: what becomes of that is
 * not known yet. */
static void not_dialled(struct hd_module *mod, struct hd_worker *w,
			struct mesh_link *l, int error, const char *text)
{
	l->refused = error == -EKEYREJECTED || error == -ENOENT;
	if (error != -ECANCELED && error != -EBUSY) {
		lost(mod, w, l, text);
		return;
	}
	go(l, w, MESH_WAITING);
	hd_timer_set(l->timer, retry_ms(mod, w, l));
}

static void dialled(struct hd_module *mod, struct hd_worker *w, void *arg,
		    const struct hd_dialled *got)
{
	const struct mesh_conf *conf = hd_module_worker_conf(mod, w);
	struct mesh_link *l = arg;
	struct mesh_stream *ms;

	l->dial_id = 0;
	if (got->error < 0) {
		not_dialled(mod, w, l, got->error, got->text);
		return;
	}
	ms = hd_stream_state(got->stream);
	ms->link = l;
	ms->heard_ms = hd_now_ms(w);
	l->stream = got->stream;
	l->refused = false;
	l->health[0] = '\0';
	l->full = false;
	mesh_realms_begin(l);
	go(l, w, MESH_GREETING);
	hd_stream_timer(got->stream, MESH_TIMER_GREETING,
			(uint32_t)conf->silence_ms);
	mesh_greet(got->stream, &l->to);
}

static void dial(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct mesh_link *l = arg;
	struct hd_dial_options o = mesh_member_options(&l->to);
	struct hd_error err = { "" };
	int r;

	if (mesh_demand_ended(mod, w, l))
		return;
	go(l, w, MESH_DIALLING);
	r = hd_dial(mod, w, &o, dialled, l, NULL, &l->dial_id, &err);
	if (r < 0)
		not_dialled(mod, w, l, r, err.text);
}

int mesh_link_arm(struct hd_module *mod, struct hd_worker *w,
		  struct mesh_link *l)
{
	l->timer = hd_timer_new(mod, w, dial, l);
	if (l->timer == NULL)
		return -ENOMEM;
	if (l->state == MESH_DIALLING)
		go(l, w, MESH_WAITING);
	show_state(l, w);
	if (l->state == MESH_WAITING)
		hd_timer_set(l->timer, retry_ms(mod, w, l));
	return 0;
}

/* ---- it is up ---- */

void mesh_link_up(struct hd_module *mod, struct hd_stream *s)
{
	struct mesh_stream *ms = hd_stream_state(s);
	struct mesh_link *l = ms->link;
	struct hd_worker *w = hd_stream_worker(s);
	char addr[HD_ADDR_TEXT_BYTES];

	hd_stream_timer(s, MESH_TIMER_GREETING, 0);
	go(l, w, MESH_UP);
	hd_log_notice("mesh: link up: member=%s key=%s addr=%s tls=%s",
		      l->to.name, hd_key_text(&l->key).s,
		      hd_addr_text(hd_stream_addr(s), addr),
		      hd_stream_is_tls(s) ? "yes" : "no");
	tell("mesh.up", l);
	mesh_demand_up(s, l);
	mesh_health_begin(mod, s, ms);
}

/* ---- it closes ---- */

/* Who does not know our mesh key closes when it is asked who is there. */
static const char *why_closed(const struct hd_module *mod, struct mesh_link *l,
			      uint8_t phase, enum hd_close why)
{
	bool asked = phase == MESH_OPEN && l->state == MESH_GREETING;

	if (!asked || why != HD_CLOSE_PEER)
		return hd_close_text(mod, why);
	l->refused = true;
	return "it closes when it is asked who is there: its mesh key is not "
	       "that of derp.mesh_key here";
}

void mesh_link_closed(struct hd_module *mod, struct hd_stream *s, void *state,
		      enum hd_close why)
{
	const struct mesh_stream *ms = state;
	uint8_t phase = ms->phase;
	struct mesh_link *l = cut_off(s);

	if (l != NULL)
		lost(mod, hd_stream_worker(s), l,
		     why_closed(mod, l, phase, why));
}
