/* SPDX-License-Identifier: MIT */
/* core/stream/stream.c - the life of a stream: birth, end.
 *
 *   accept, dial
 *        `---> OPEN --hd_stream_close()--> CLOSING --> ENDING --sent--> SHUT
 *               |                             |           |               |
 *               `------ hd_stream_abort() ----+-----------+               |
 *                                             |           | deadline, error
 *                                             v           |               |
 *                                          ABORTED <------+---------------+
 *                                             | nothing   | peer's end    |
 *                                             | under way v               |
 *                                             `-------> FREED <-----------'
 *
 * Nothing is freed inside a call from a module or the relay: closing only marks
 * the stream, hd_stream_flush() ends it. Context: the stream's worker. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/base/close.h"
#include "core/base/probes.h"
#include "core/loop/tag.h"
#include "core/net/listener.h"
#include "core/stream/arrival.h"
#include "core/stream/first.h"
#include "core/stream/hello.h"
#include "core/stream/proxied.h"
#include "core/stream/stream_head.h"
#include "core/stream/stream_life.h"
#include "core/stream/visitor.h"
#include "core/stream/ws.h"
#include "core/tls/tls.h"

/* ---- birth ---- */

static struct hd_stream *stream_new(const struct hd_listener *listener, int fd,
				    const union hd_addr *from,
				    const struct hd_proto *first)
{
	struct hd_stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->magic = HD_STREAM_MAGIC;
	s->fd = fd;
	s->listener = hd_listener_get(listener);
	s->fds = (uint8_t)hd_listener_fds(listener);
	s->proto = first;
	s->addr = *from;
	s->state = calloc(1, HD_MAX(1u, s->proto->state_size));
	if (s->state == NULL) {
		hd_listener_put(&s->listener);
		free(s);
		return NULL;
	}
	return s;
}

void hd_stream_begin_tls(struct hd_stream *s)
{
	struct hd_worker *w = s->worker;
	struct hd_tls_store *own =
		__atomic_load_n(&s->listener->tls_store, __ATOMIC_ACQUIRE);

	s->tls = hd_tls_new(own != NULL ? own : w->streams->tls,
			    w->conf->record_layer != HD_RECORDS_OPENSSL);
	if (s->tls == NULL) {
		hd_log_warn("connection refused: out of memory");
		hd_stream_abort(s, HD_CLOSE_ERROR);
		return;
	}
	s->handshaking = true;
}

void hd_stream_begin(struct hd_stream *s)
{
	s->hello_due = s->listener->tls && hd_hello_wanted(s);
	if (!s->listener->tls)
		hd_first_opened(s, NULL);
	else if (!s->hello_due)
		hd_stream_begin_tls(s);
}

static void stream_free(struct hd_stream *s)
{
	hd_fds_give(s->fds);
	hd_tls_free(&s->tls);
	hd_ws_free(&s->ws);
	hd_stream_head_drop(s);
	hd_proxied_free(&s->proxied);
	hd_visitor_leave(s->worker, &s->visitor);
	hd_listener_put(&s->listener);
	free(s->path);
	free(s->state);
	s->path = NULL;
	s->state = NULL;
	s->magic = 0;
	s->phase = HD_PHASE_FREED;
	if (!s->dirty && !s->ready) /* else reclaimed() */
		free(s);
}

/* Returns NULL: there is none, and fd is closed. */
static struct hd_stream *enter(struct hd_worker *w,
			       const struct hd_listener *listener, int fd,
			       const union hd_addr *other,
			       const struct hd_first *first)
{
	struct hd_stream *s = NULL;
	int r = -ENOMEM;

	if (first != NULL)
		s = stream_new(listener, fd, other, first->proto);
	if (s == NULL) {
		close(fd);
		hd_fds_give(hd_listener_fds(listener));
		return NULL;
	}
	s->since_ms = w->now_ms;
	s->since_ns = w->now_ns;
	r = hd_stream_attach(w, s);
	if (r < 0) {
		errno = -r;
		hd_log_warn("no connection: %m");
		close(fd);
		stream_free(s);
		return NULL;
	}
	s->unopened = first->mod != NULL;
	hd_stream_set_proto(s, first->mod, first->proto);
	return s;
}

/* @ret  given, also if it may not */
static bool may_visit(struct hd_worker *w, const struct hd_listener *l,
		      const union hd_addr *from, struct hd_visitor **ret)
{
	return hd_visitor_come(w, l, from, ret) &&
	       hd_arrival_passes(w, l, from, NULL);
}

void hd_stream_accept(struct hd_worker *w, const struct hd_listener *listener,
		      int fd, const union hd_addr *from)
{
	struct hd_visitor *visitor = NULL;
	struct hd_first first;
	bool may_come = hd_proxied_may_come(w, listener, from) &&
			(listener->proxies.n > 0 ||
			 may_visit(w, listener, from, &visitor)) &&
			hd_first_find(w, listener, from, &first);
	struct hd_stream *s =
		enter(w, listener, fd, from, may_come ? &first : NULL);

	if (s == NULL) {
		hd_visitor_leave(w, &visitor);
		return;
	}
	s->visitor = hd_steal(&visitor);
	HD_PROBE(accept, s, w->index, &s->addr, listener->tls);
	hd_stream_deadline(s, HD_DEADLINE_LOGIN, w->conf->login_timeout_ms);
	s->proxy_due = listener->proxies.n > 0;
	if (!s->proxy_due)
		hd_stream_begin(s);
	hd_stream_mark_ready(s);
}

struct hd_stream *hd_stream_dialled(struct hd_worker *w, int fd,
				    const union hd_addr *to, enum hd_fds fds,
				    struct hd_module *mod,
				    const struct hd_proto *proto)
{
	/* by none: its one reference here stays */
	static struct hd_listener none = { .whose = HD_FDS_DIALLED, .refs = 1 },
				  onward = { .whose = HD_FDS_ONWARD,
					     .refs = 1 };
	const struct hd_first first = { .proto = proto, .mod = mod };

	return enter(w, fds == HD_FDS_ONWARD ? &onward : &none, fd, to, &first);
}

struct hd_tls_env hd_stream_tls_env(struct hd_stream *s)
{
	return (struct hd_tls_env){
		.pool = &s->worker->streams->pool,
		.ciphers = s->worker->streams->ciphers,
		.wire = &s->flight,
	};
}

/* ---- the end ---- */

/* A number that is nobody's reason stays one. */
static void set_why(struct hd_stream *s, enum hd_close why)
{
	s->why = (uint8_t)HD_MIN((unsigned)why, UINT8_MAX);
	s->like = (uint8_t)hd_close_like(s->mod, s->why);
}

void hd_stream_close(struct hd_stream *s, enum hd_close why)
{
	if (!hd_stream_is_open(s))
		return;
	s->phase = HD_PHASE_CLOSING;
	set_why(s, why);
	s->deadline_ms[HD_DEADLINE_LOGIN] = 0;
	hd_stream_deadline(s, HD_DEADLINE_CLOSE,
			   s->worker->conf->write_timeout_ms);
	hd_stream_mark_dirty(s);
}

void hd_stream_abort(struct hd_stream *s, enum hd_close why)
{
	if (hd_stream_is_open(s))
		set_why(s, why);
	s->phase = HD_PHASE_ABORTED;
	hd_stream_mark_dirty(s);
}

static void set_owner(struct hd_stream *s, struct hd_module *mod)
{
	if (s->mod != NULL)
		__atomic_sub_fetch(&s->mod->streams, 1, __ATOMIC_RELEASE);
	if (mod != NULL)
		__atomic_add_fetch(&mod->streams, 1, __ATOMIC_RELAXED);
	s->mod = mod;
}

static void user_ended(struct hd_stream *s)
{
	if (s->user != NULL)
		s->user->ops->ended(s);
}

static bool is_error(enum hd_close why)
{
	return why == HD_CLOSE_PROTOCOL || why == HD_CLOSE_TIMEOUT ||
	       why == HD_CLOSE_SLOW || why == HD_CLOSE_ERROR;
}

void hd_stream_closed(struct hd_stream *s, enum hd_close why)
{
	struct hd_meter *m = &s->worker->meter;
	struct hd_account *before = hd_meter_enter(m, s->account);

	if (s->proto->closed != NULL && !s->unopened)
		s->proto->closed(s->mod, s, s->state, why);
	hd_meter_leave(m, before);
}

void hd_stream_set_proto(struct hd_stream *s, struct hd_module *mod,
			 const struct hd_proto *proto)
{
	s->proto = proto;
	set_owner(s, mod);
	s->account = hd_account_of(s->worker, mod);
}

void hd_stream_end(struct hd_stream *s)
{
	struct hd_worker *w = s->worker;

	HD_CHECK_MAGIC(s, HD_STREAM_MAGIC);
	hd_count(&w->stats.closes[s->like], 1);
	hd_stream_clear_output(s, HD_DROP_WRITE_ERROR);
	hd_chunk_put(&w->streams->pool, &s->kept);
	if (s->ws != NULL)
		hd_ws_drop_part(s);
	hd_ended_stream(s);
	hd_account_add(s->account, HD_ACCOUNT_ERRORS, is_error(s->like));
	hd_stream_closed(s, s->why);
	HD_PROBE(closed, s, w->index, s->why, s->bytes_in, s->bytes_out);
	user_ended(s);
	set_owner(s, NULL);
	hd_stream_detach(s);
	shutdown(s->fd, SHUT_RDWR); /* at once: the ring may still hold it */
	close(s->fd);
	stream_free(s);
}

void hd_stream_lose(struct hd_stream *s)
{
	struct hd_chunk_pool none = { 0 };

	for (unsigned i = 0; i < HD_LANE_N; i++)
		hd_queue_clear(&none, &s->lane[i]);
	hd_queue_clear(&none, &s->flight);
	hd_chunk_put(&none, &s->kept);
	if (s->ws != NULL)
		hd_chunk_put(&none, &s->ws->message);
	hd_chunk_pool_free(&none);
	HD_PROBE(closed, s, UINT32_MAX, HD_CLOSE_ERROR, s->bytes_in,
		 s->bytes_out);
	if (s->proto->closed != NULL)
		s->proto->closed(s->mod, s, s->state, HD_CLOSE_ERROR);
	set_owner(s, NULL);
	user_ended(s);
	close(s->fd);
	stream_free(s);
}

/* ---- its user ---- */

void hd_stream_set_user(struct hd_stream *s, struct hd_stream_user *user)
{
	hd_assert(s->user == NULL || user == NULL);
	s->user = user;
	s->user_waits = user != NULL;
	if (user == NULL)
		return;
	s->rx_held = true;
	s->feeds = UINT64_MAX;
	hd_stream_mark_dirty(s);
}

/* ---- what modules see ---- */

void *hd_stream_switch(struct hd_stream *s, struct hd_module *mod,
		       const struct hd_proto *proto)
{
	void *state = calloc(1, HD_MAX(1u, proto->state_size));

	if (state == NULL) {
		hd_stream_abort(s, HD_CLOSE_ERROR);
		return NULL;
	}
	hd_stream_closed(s, HD_CLOSE_DONE);
	free(s->state);
	s->state = state;
	hd_stream_set_proto(s, mod, proto);
	s->want = 0;
	return state;
}

struct hd_account *hd_stream_enter(struct hd_stream *s,
				   const struct hd_module *mod)
{
	struct hd_account *account = hd_account_of(s->worker, mod);

	hd_account_add(account, HD_ACCOUNT_REQUESTS, 1);
	return hd_meter_enter(&s->worker->meter, account);
}

void hd_stream_leave(struct hd_stream *s, struct hd_account *before)
{
	hd_meter_leave(&s->worker->meter, before);
}

void hd_stream_use_ws(struct hd_stream *s, struct hd_ws **ws)
{
	hd_assert(s->ws == NULL);
	s->ws = hd_steal(ws);
	hd_ws_begin(s);
}

void hd_stream_timer(struct hd_stream *s, unsigned which, uint32_t delay_ms)
{
	hd_assert(which < HD_STREAM_TIMERS);
	hd_stream_deadline(s, which, delay_ms);
}

void hd_stream_stay(struct hd_stream *s)
{
	s->deadline_ms[HD_DEADLINE_LOGIN] = 0;
}
