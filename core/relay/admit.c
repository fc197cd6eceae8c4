/* SPDX-License-Identifier: MIT */
/* core/relay/admit.c - who is let in: the admit hooks, in order.
 *
 *   PROVEN at home --each passes--> UP
 *     |  `- one will answer later -> PENDING --pass: the next is asked--> UP
 *     |                                |  `- cannot say: is asked once more
 *     `--------- denied ---------------+--> closed
 *
 * Hooks come and go while an answer is due. So a login remembers the module
 * that it asked last by its place in the order of loading, and goes on behind
 * that. Context: the key's home worker. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/clock.h"
#include "core/base/probes.h"
#include "core/loop/hooks.h"
#include "core/relay/audited.h"
#include "core/relay/limits.h"
#include "core/relay/peer.h"
#include "core/relay/refused.h"
#include "core/relay/tenant.h"
#include "core/relay/ticket.h"
#include "core/stream/ended.h"
#include "core/stream/proxied.h"
#include "core/stream/trace.h"
#include "core/stream/stream_life.h"
#include "core/stream/ws.h"

void hd_login_tell(struct hd_stream *s, const char *reason)
{
	const struct hd_peer_ops *ops = s->proto->peer;

	if (ops == NULL || ops->health == NULL)
		return;
	struct hd_account *before =
		hd_meter_enter(&s->worker->meter, s->account);

	ops->health(s->mod, hd_peer_of(s), reason);
	hd_meter_leave(&s->worker->meter, before);
}

/* @n  how often in this minute, this time included */
static void tell_refusal(struct hd_stream *s, const char *reason, uint32_t n)
{
	const struct hd_peer_ops *ops = s->proto->peer;
	char addr[HD_ADDR_TEXT_BYTES], via[HD_VIA_TEXT_BYTES];

	if (n == 1) {
		if (hd_ended_refused(s->worker))
			hd_log_write(HD_LOG_NOTICE,
				     "login refused: key=%s addr=%s%s "
				     "reason=%s",
				     s->user->key_text,
				     hd_addr_text(&s->addr, addr),
				     hd_proxied_text(s, via), reason);
		hd_peer_audit(s, "peer.denied", reason);
	}
	if (n <= HD_REFUSED_TOLD || (ops != NULL && ops->refuses_aloud))
		hd_login_tell(s, reason);
}

void hd_login_refuse(struct hd_stream *s, enum hd_close why,
		     const char *reason)
{
	struct hd_peer *p = hd_peer_of(s);

	hd_count(&s->worker->stats.logins_denied, 1);
	free(p->refusal);
	p->refusal = strdup(reason);
	tell_refusal(s, reason,
		     hd_refused_count(s->worker, p->login.realm, &p->login.key,
				      reason));
	hd_trace_stream(s, HD_TRACE_DENIED, reason);
	HD_PROBE(login_refused, s, s->worker->index, s->user->key_text, reason);
	hd_ws_reason(s, reason);
	hd_stream_close(s, why);
}

static void deny(struct hd_stream *s, const struct hd_ticket *t)
{
	hd_login_refuse(s, HD_CLOSE_DENIED,
			t->reason[0] ? t->reason : "by a module");
}

/* Each one, as log_end() does: who reads the log counts them. */
static void log_login(const struct hd_stream *s, const struct hd_peer *p)
{
	char addr[HD_ADDR_TEXT_BYTES], via[HD_VIA_TEXT_BYTES];

	if (!hd_log_on(HD_LOG_INFO))
		return;
	hd_log_write(HD_LOG_INFO,
		     "login: key=%s addr=%s%s proto=%s tls=%d "
		     "agent=%s%s%s%s%s%s",
		     p->name.s, hd_addr_text(&s->addr, addr),
		     hd_proxied_text(s, via), s->proto->name, s->tls != NULL,
		     p->login.agent, p->tenant != 0 ? " tenant=" : "",
		     hd_tenant_name(p->tenant),
		     p->label != NULL ? " name=\"" : "", hd_peer_label(p),
		     p->label != NULL ? "\"" : "");
}

static void admit(struct hd_stream *s)
{
	struct hd_peer *p = hd_peer_of(s);
	const uint32_t may = hd_limits_may(p);

	if (hd_limits_enter(p) < 0) {
		hd_login_refuse(s, HD_CLOSE_DENIED, HD_LIMITS_FULL);
		return;
	}
	if (hd_peer_up(p) < 0) {
		hd_stream_abort(s, HD_CLOSE_ERROR);
		return;
	}
	hd_refused_forget(s->worker, p->login.realm, &p->login.key);
	hd_limits_crowd(p, may);
	hd_count(&s->worker->stats.logins, 1);
	hd_observe(&s->worker->stats.login_time, hd_clock_ns() - s->since_ns);
	log_login(s, p);
	hd_trace_stream(s, HD_TRACE_LOGIN, p->login.agent);
	HD_PROBE(peer_up, s, s->worker->index, p->name.s, &p->login.key,
		 s->proto->name, p->login.agent);
	s->deadline_ms[HD_DEADLINE_LOGIN] = 0;
	s->rx_held = false;
	struct hd_account *before =
		hd_meter_enter(&s->worker->meter, s->account);
	s->proto->admitted(s->mod, s, s->state, p);
	hd_stream_logged_in(s);
	hd_meter_leave(&s->worker->meter, before);
	hd_stream_resume(s);
}

/* ---- what a hook that passes gives ---- */

/* In no tenant but the one that was meant. Returns whether it is in it. */
static bool take_tenant(struct hd_peer *p, struct hd_ticket *t)
{
	int r = t->has_tenant ? hd_peer_set_tenant(p, t->tenant) : 0;

	if (r == -EINVAL)
		hd_admit_reason(t, "a module gave it a tenant whose name is "
				   "none");
	else if (r < 0)
		hd_admit_reason(t, "the relay has too many tenants");
	return r == 0;
}

/* A tenant whose limits nobody says has those that it has, by who is in it; its
 * first one may have a number that was another tenant's. */
static bool take_limits(struct hd_peer *p, struct hd_ticket *t)
{
	t->has_limits[HD_LIMITS_TENANT] |= t->has_tenant &&
					   hd_limits_is_first(p);
	for (unsigned i = 0; i < HD_LIMITS_N; i++)
		if (t->has_limits[i] &&
		    hd_limits_give(p, i, &t->limits[i]) < 0) {
			hd_admit_reason(t, "the relay is out of memory");
			return false;
		}
	return true;
}

/* Only a protocol that can tell it who is here has other relays. */
static bool take_mesh(struct hd_peer *p, struct hd_ticket *t)
{
	const struct hd_peer_ops *ops = p->stream->proto->peer;

	if (!t->has_mesh)
		return true;
	if (t->mesh && (ops == NULL || ops->presence == NULL)) {
		hd_admit_reason(t, "a module takes it for another relay, whose "
				   "protocol has none");
		return false;
	}
	p->login.mesh = p->stream->trusted = t->mesh;
	return true;
}

/* Returns the verdict. */
static enum hd_verdict take_gifts(struct hd_peer *p, struct hd_ticket *t)
{
	if (!take_tenant(p, t) || !take_limits(p, t) || !take_mesh(p, t))
		return HD_VERDICT_DENY;
	hd_peer_set_label(p, t->label);
	return HD_VERDICT_PASS;
}

/* ---- questions ---- */

/* The first that has not been asked; NULL: all have. */
static const struct hd_hook *next_hook(const struct hd_stream *s)
{
	const struct hd_hooks *hooks = s->worker->hooks;
	const struct hd_peer *p = hd_peer_of(s);
	const struct hd_hook_list *list = p->mesh_key ? &hooks->admit_mesh
						      : &hooks->admit;
	unsigned nth = 0;

	for (unsigned i = 0; i < list->n; i++) {
		const struct hd_hook *h = &list->v[i];

		if (h->mod->order > p->asked_order)
			return h;
		if (h->mod->order == p->asked_order && nth++ >= p->asked_hooks)
			return h;
	}
	return NULL;
}

static void note_asked(struct hd_peer *p, const struct hd_module *mod)
{
	if (p->asked_order != mod->order)
		p->asked_hooks = 0;
	p->hook_asked = mod;
	p->asked_order = mod->order;
	p->asked_hooks++;
	p->asked_n++;
}

static enum hd_verdict ask_hook(struct hd_stream *s, const struct hd_hook *h,
				struct hd_ticket *t)
{
	struct hd_worker *w = s->worker;
	struct hd_peer *p = hd_peer_of(s);
	struct hd_account *account = hd_account_of(w, h->mod);
	struct hd_account *before = hd_meter_enter(&w->meter, account);

	note_asked(p, h->mod);
	*t = (struct hd_ticket){
		.worker = w->index,
		.slot = s->slot,
		.gen = s->gen,
		.asked_n = p->asked_n,
	};
	struct hd_admission who = {
		.login = &p->login,
		.peer = p,
		.from = &s->addr,
		.proto = s->proto->name,
		.listener = hd_stream_listener_name(s),
		.server_name = hd_stream_server_name(s),
		.tenant = hd_tenant_name(p->tenant),
	};
	enum hd_verdict v = h->admit(h->mod, w, &who, t);

	hd_meter_leave(&w->meter, before);
	if (v == HD_VERDICT_PASS)
		v = take_gifts(p, t);
	else if (v != HD_VERDICT_PENDING) /* also what is no verdict */
		v = HD_VERDICT_DENY;
	hd_account_add(account, HD_ACCOUNT_DENIED, v == HD_VERDICT_DENY);
	return v;
}

void hd_login_hung_up(struct hd_stream *s)
{
	if (hd_peer_of(s)->state == HD_PEER_PENDING)
		hd_stream_close(s, HD_CLOSE_PEER);
}

/* A module that says who may log in should be there, and is not. */
static void refuse_unguarded(struct hd_stream *s)
{
	char why[160];

	snprintf(why, sizeof(why),
		 "the relay's module %.60s is missing, which says who may log "
		 "in: tell its operator",
		 s->worker->hooks->lost[0]);
	hd_login_refuse(s, HD_CLOSE_DENIED, why);
}

void hd_login_ask(struct hd_stream *s)
{
	const struct hd_hook *h;
	enum hd_verdict v = HD_VERDICT_PASS;
	struct hd_ticket t;

	if (!s->worker->serving) {
		hd_login_refuse(s, HD_CLOSE_DENIED, "the relay is draining");
		return;
	}
	if (s->worker->hooks->n_lost > 0) {
		refuse_unguarded(s);
		return;
	}
	while (v == HD_VERDICT_PASS && (h = next_hook(s)) != NULL)
		v = ask_hook(s, h, &t);
	if (v == HD_VERDICT_PASS) {
		admit(s);
	} else if (v == HD_VERDICT_DENY) {
		deny(s, &t);
	} else {
		hd_login_wait(s, &t);
	}
}

/* ---- answers ---- */

/* Whether the login is there, and waits for this and not for another answer. */
static bool is_awaited(const struct hd_stream *s, const struct hd_ticket *t)
{
	const struct hd_peer *p = s != NULL ? hd_peer_of(s) : NULL;

	return p != NULL && hd_stream_is_open(s) &&
	       p->state == HD_PEER_PENDING && p->asked_n == t->asked_n;
}

static void take_answer(struct hd_stream *s, struct hd_ticket *t)
{
	struct hd_peer *p = hd_peer_of(s);

	if (t->verdict == HD_VERDICT_PASS)
		t->verdict = take_gifts(p, t);
	if (t->verdict == HD_VERDICT_PASS) {
		hd_login_waited(s);
		hd_login_ask(s);
	} else if (t->verdict == HD_VERDICT_PENDING) {
		hd_login_ask_later(s);
	} else {
		hd_account_add(hd_account_of(s->worker, p->hook_asked),
			       HD_ACCOUNT_DENIED, 1);
		deny(s, t);
	}
}

static void answered(struct hd_worker *w, void *ticket, void *unused)
{
	struct hd_ticket *t = ticket;
	struct hd_stream *s = hd_slots_get(&w->streams->slots, t->slot, t->gen);

	(void)unused;
	if (is_awaited(s, t))
		take_answer(s, t);
	free(t);
}

void hd_admit_answer(struct hd_ticket **ticket, enum hd_verdict verdict,
		     const char *reason)
{
	struct hd_ticket *t = hd_steal(ticket);

	if (t == NULL)
		return;
	t->verdict = verdict;
	if (reason != NULL)
		hd_admit_reason(t, reason);
	if (t->worker >= hd_workers() ||
	    hd_worker_post(hd_worker_at(t->worker), answered, t, NULL) < 0)
		free(t);
}
