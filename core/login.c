/* SPDX-License-Identifier: MIT */
/* core/login.c - the way of a connection to its key.
 *
 *   hd_relay_login --> PROVEN --(move)--> PROVEN at home --hooks--> UP
 *                                            |  `-> PENDING --answer--> UP
 *                                            `-------- denied --> closed
 *
 * From hd_relay_login() on nothing is read, so nothing is under way when the
 * connection changes workers: descriptor, TLS, kept bytes and state go in one
 * message. Context: the stream's worker. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <stdlib.h>
#include <string.h>
#include "core/clock.h"
#include "core/peer.h"
#include "core/probes.h"
#include "core/stream_life.h"
#include "core/trace.h"

struct hd_ticket { /* a login that waits for a module's answer */
	struct hd_worker *worker;
	uint32_t slot, gen;
	enum hd_verdict verdict;
	bool held;
	char reason[96];
};

void hd_relay_login(struct hd_stream *s, const struct hd_login *login)
{
	struct hd_peer *p;

	hd_assert(s->peer == NULL);
	if (s->closing)
		return;
	p = calloc(1, sizeof(*p));
	if (p == NULL) {
		hd_stream_abort(s, HD_CLOSE_ERROR);
		return;
	}
	p->magic = HD_PEER_MAGIC;
	p->stream = s;
	p->login = *login;
	p->name = hd_key_text(&login->key);
	p->not_here_tokens = 3;
	p->proven_us = hd_clock_us();
	s->peer = p;
	s->rx_held = true;
	hd_stream_mark_dirty(s);
}

void hd_peer_free(struct hd_peer **peer)
{
	struct hd_peer *p = hd_steal(peer);

	if (p == NULL)
		return;
	hd_assert(p->entry == NULL);
	p->magic = 0;
	free(p);
}

/* ---- move ---- */

#define SLOW_MOVE_US 200

/* At home, about to be admitted. */
static void count_move(struct hd_worker *w, const struct hd_peer *p)
{
	uint64_t us = hd_clock_us() - p->proven_us;

	hd_count(w->stats, HD_STAT_MOVES, 1);
	hd_observe(w->stats, HD_STAT_MOVE_TIME, us * 1000);
	hd_count(w->stats, HD_STAT_SLOW_MOVES, us > SLOW_MOVE_US);
	if (us > w->slowest_move_us)
		__atomic_store_n(&w->slowest_move_us, us, __ATOMIC_RELAXED);
}

static void adopt(struct hd_worker *w, void *stream, void *unused)
{
	struct hd_stream *s = stream;
	int r = hd_stream_attach(w, s);

	(void)unused;
	if (r < 0) { /* out of memory: without a slot there is no life */
		hd_stream_lose(s);
		return;
	}
	hd_stream_mark_dirty(s);
	hd_stream_mark_ready(s);
}


static void move(struct hd_stream *s, struct hd_worker *home)
{
	s->peer->moved = true;
	hd_stream_detach(s);
	if (hd_worker_post(home, adopt, s, NULL) < 0)
		hd_stream_lose(s);
}

/* ---- admission ---- */

static void deny(struct hd_stream *s, const char *reason)
{
	char addr[HD_ADDR_TEXT_BYTES];

	hd_count(s->worker->stats, HD_STAT_LOGINS_DENIED, 1);
	hd_log_notice("login refused: key=%s addr=%s reason=%s",
		      hd_key_text(&s->peer->login.key).s,
		      hd_addr_text(&s->addr, addr), reason);
	hd_trace_stream(s, HD_TRACE_DENIED, reason);
	HD_PROBE(login_refused, s, s->worker->index, s->peer->name.s, reason);
	hd_stream_close(s, HD_CLOSE_DENIED);
}

static void admit(struct hd_stream *s)
{
	struct hd_peer *p = s->peer;
	char addr[HD_ADDR_TEXT_BYTES];

	if (hd_peer_up(p) < 0) {
		hd_stream_abort(s, HD_CLOSE_ERROR);
		return;
	}
	hd_count(s->worker->stats, HD_STAT_LOGINS, 1);
	hd_observe(s->worker->stats, HD_STAT_LOGIN_TIME,
		   hd_clock_ns() - s->since_ns);
	hd_log_info("login: key=%s addr=%s proto=%s tls=%d agent=%s",
		    hd_key_text(&p->login.key).s, hd_addr_text(&s->addr, addr),
		    s->proto->name, s->tls != NULL, p->login.agent);
	hd_trace_stream(s, HD_TRACE_LOGIN, p->login.agent);
	HD_PROBE(peer_up, s, s->worker->index, p->name.s, &p->login.key,
		 s->proto->name, p->login.agent);
	s->deadline_ms[HD_DEADLINE_LOGIN] = 0;
	s->rx_held = false;
	struct hd_use *before = hd_meter_enter(&s->worker->meter, s->use);
	s->proto->admitted(s, s->state, p);
	hd_meter_leave(&s->worker->meter, before);
	hd_stream_resume(s);
}

static enum hd_verdict ask_hooks(struct hd_stream *s, struct hd_ticket *t)
{
	struct hd_worker *w = s->worker;
	const struct hd_hooks *hooks = w->hooks;

	for (unsigned i = 0; i < hooks->n_admit; i++) {
		const struct hd_admit_hook *h = &hooks->admit[i];
		struct hd_use *use = hd_use_of(w, h->mod);
		struct hd_use *before = hd_meter_enter(&w->meter, use);
		enum hd_verdict v =
			h->fn(h->mod, w, &s->peer->login, &s->addr, t);

		hd_meter_leave(&w->meter, before);
		hd_use_add(use, HD_USE_DENIED, v == HD_DENY);
		if (v != HD_PASS)
			return v;
	}
	return HD_PASS;
}

static void act_on(struct hd_stream *s, const struct hd_ticket *t)
{
	if (t->verdict == HD_PASS)
		admit(s);
	else
		deny(s, t->reason[0] ? t->reason : "by a module");
}

static void ask(struct hd_stream *s)
{
	struct hd_ticket t = {
		.worker = s->worker,
		.slot = s->slot,
		.gen = s->gen,
		.verdict = HD_PASS,
	};

	if (!s->worker->serving) {
		deny(s, "the relay is draining");
		return;
	}
	if (!s->peer->login.trusted)
		t.verdict = ask_hooks(s, &t);
	if (t.verdict == HD_PENDING)
		s->peer->state = HD_PEER_PENDING; /* or the deadline denies */
	else
		act_on(s, &t);
}

void hd_admit_reason(struct hd_ticket *t, const char *text)
{
	snprintf(t->reason, sizeof(t->reason), "%s", text);
}

struct hd_ticket *hd_admit_hold(struct hd_ticket *t)
{
	struct hd_ticket *held = malloc(sizeof(*held));

	if (held != NULL)
		*held = *t;
	return held;
}

static void answered(struct hd_worker *w, void *ticket, void *unused)
{
	struct hd_ticket *t = ticket;
	struct hd_stream *s = hd_slots_get(&w->slots, t->slot, t->gen);

	(void)unused;
	if (s != NULL && !s->closing && s->peer != NULL &&
	    s->peer->state == HD_PEER_PENDING)
		act_on(s, t);
	free(t);
}

void hd_admit_answer(struct hd_ticket **ticket, enum hd_verdict verdict,
		     const char *reason)
{
	struct hd_ticket *t = hd_steal(ticket);

	t->verdict = verdict;
	if (reason != NULL)
		hd_admit_reason(t, reason);
	if (hd_worker_post(t->worker, answered, t, NULL) < 0)
		free(t);
}

bool hd_login_due(const struct hd_stream *s)
{
	return s->peer != NULL && s->peer->state == HD_PEER_PROVEN &&
	       !s->closing;
}

void hd_login_go_on(struct hd_stream *s)
{
	const struct hd_login *l = &s->peer->login;
	unsigned home = hd_key_home(hd_key_hash(l->realm, &l->key));

	if (home != s->worker->index) {
		move(s, hd_worker_at(home));
		return;
	}
	if (s->peer->moved)
		count_move(s->worker, s->peer);
	ask(s);
}
