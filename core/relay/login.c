/* SPDX-License-Identifier: MIT */
/* core/relay/login.c - the way of a connection to its key.
 *
 *   hd_relay_login --> PROVEN --(move)--> PROVEN at home --> core/relay/admit.c
 *
 * From hd_relay_login() on nothing is read, so nothing is under way when the
 * connection changes workers: descriptor, TLS, kept bytes and state go in one
 * message. Context: the stream's worker. */
#include <hyper-derp/worker.h>
#include "core/base/bug.h"
#include "core/base/clock.h"
#include "core/relay/peer.h"
#include "core/relay/peer_data.h"
#include "core/relay/relay_worker.h"
#include "core/stream/stream_life.h"

static bool can_log_in(const struct hd_proto *proto)
{
	return proto->admitted != NULL && proto->peer != NULL &&
	       proto->peer->deliver != NULL && proto->peer->gone != NULL;
}

void hd_relay_login(struct hd_stream *s, const struct hd_login *login)
{
	struct hd_peer *p;

	if (!hd_stream_is_open(s))
		return;
	if (!can_log_in(s->proto) || login->realm >= hd_realms_n()) {
		hd_bug_once("a login without admitted(), deliver() or gone(), "
			    "or in no realm: proto=%s",
			    s->proto->name);
		hd_stream_abort(s, HD_CLOSE_ERROR);
		return;
	}
	if (s->user != NULL) {
		hd_bug_once("a second login: proto=%s", s->proto->name);
		return;
	}
	p = hd_peer_new(s, login);
	if (p == NULL) {
		hd_stream_abort(s, HD_CLOSE_ERROR);
		return;
	}
	p->proven_us = hd_clock_us();
	s->trusted = login->mesh;
	hd_stream_set_user(s, &p->user);
}

/* ---- move ---- */

#define SLOW_MOVE_US 200

/* At home, about to be admitted. */
static void count_move(struct hd_worker *w, const struct hd_peer *p)
{
	uint64_t us = hd_clock_us() - p->proven_us;

	hd_count(&w->stats.moves, 1);
	hd_observe(&w->stats.move_time, us * 1000);
	hd_count(&w->stats.slow_moves, us > SLOW_MOVE_US);
	if (us > w->relay->slowest_move_us)
		__atomic_store_n(&w->relay->slowest_move_us, us,
				 __ATOMIC_RELAXED);
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
	hd_peer_of(s)->moved = true;
	hd_stream_detach(s);
	if (hd_worker_post(home, adopt, s, NULL) < 0)
		hd_stream_lose(s);
}

static void go_home(struct hd_stream *s)
{
	struct hd_peer *p = hd_peer_of(s);
	const struct hd_login *l = &p->login;
	unsigned home = hd_key_home(hd_key_hash(l->realm, &l->key));

	if (home != s->worker->index) {
		move(s, hd_worker_at(home));
		return;
	}
	s->user_waits = false;
	if (p->moved)
		count_move(s->worker, p);
	p->home = true;
	if (hd_peer_data_give(p) < 0) {
		hd_stream_abort(s, HD_CLOSE_ERROR);
		return;
	}
	hd_login_ask(s);
}

void hd_login_drained(struct hd_stream *s)
{
	if (s->output == HD_OUTPUT_SENDING)
		hd_stream_expect_sent(s);
	else
		go_home(s);
}
