/* SPDX-License-Identifier: MIT */
/* core/stream/streams.c - a worker's streams: which it has, which of them have
 * output to flush or input to read; how one comes and goes. Context: the
 * worker. */
#include <stdlib.h>
#include "core/loop/tag.h"
#include "core/net/listener.h"
#include "core/stream/stream_kept.h"
#include "core/stream/stream_life.h"
#include "core/stream/ws.h"
#include "core/tls/tls.h"

/* ---- lists ---- */

void hd_stream_mark_dirty(struct hd_stream *s)
{
	if (s->dirty)
		return;
	s->dirty = true;
	s->dirty_next = s->worker->streams->dirty;
	s->worker->streams->dirty = s;
}

/* Handshakes are costly and wait in a list of their own: a crowd that logs in
 * does not stand before those who have. */
static struct hd_ready *list_of(struct hd_stream *s)
{
	struct hd_streams *all = s->worker->streams;

	if (s->waits > 0)
		return &all->waiting[s->waits - 1];
	return s->handshaking ? &all->handshakes : &all->ready;
}

static void ready_in(struct hd_ready *list, struct hd_stream *s)
{
	s->ready = true;
	s->ready_next = NULL;
	if (list->first == NULL)
		list->first = s;
	else
		list->last->ready_next = s;
	list->last = s;
	list->n++;
}

void hd_stream_mark_ready(struct hd_stream *s)
{
	if (s->ready)
		return;
	s->ready_at = s->worker->streams->ready_n++;
	ready_in(list_of(s), s);
}

/* A freed stream was only waiting for its lists to let go of it. */
static bool reclaimed(struct hd_stream *s)
{
	if (s->phase != HD_PHASE_FREED)
		return false;
	if (!s->dirty && !s->ready)
		free(s);
	return true;
}

struct hd_stream *hd_streams_pop_dirty(struct hd_worker *w)
{
	struct hd_stream *s;

	do {
		s = w->streams->dirty;
		if (s == NULL)
			return NULL;
		w->streams->dirty = s->dirty_next;
		s->dirty = false;
	} while (reclaimed(s));
	return s;
}

static struct hd_stream *pop(struct hd_ready *list)
{
	struct hd_stream *s = list->first;

	list->first = s->ready_next;
	list->n--;
	s->ready = false;
	return s;
}

struct hd_stream *hd_streams_next_handshake(struct hd_worker *w)
{
	struct hd_ready *list = &w->streams->handshakes;

	while (list->first != NULL) {
		struct hd_stream *s = pop(list);

		if (!reclaimed(s))
			return s;
	}
	return NULL;
}

static void waits_no_more(struct hd_stream *s)
{
	struct hd_worker *w = s->worker;

	if (s->waits > 0 && list_of(s)->first == NULL)
		w->xawaited &= ~HD_XBIT(s->waits - 1u);
	s->waits = 0;
}

static void ready_out(struct hd_ready *list, struct hd_stream *s)
{
	struct hd_stream *before = NULL;

	if (!s->ready)
		return;
	for (struct hd_stream *i = list->first; i != s; i = i->ready_next)
		before = i;
	if (before != NULL)
		before->ready_next = s->ready_next;
	else
		list->first = s->ready_next;
	if (list->last == s)
		list->last = before;
	list->n--;
	s->ready = false;
	waits_no_more(s);
}

/* ---- whose turn it is ---- */

/* Those that wait for a ring keep their place beside all others. */
static struct hd_ready *next_list(const struct hd_worker *w)
{
	struct hd_ready *next = &w->streams->ready;
	uint64_t rings = w->xawaited & ~w->xfull;

	for (; rings != 0; rings &= rings - 1) {
		struct hd_ready *list =
			&w->streams->waiting[__builtin_ctzll(rings)];
		int32_t later = 0;

		if (next->first != NULL)
			later = (int32_t)(list->first->ready_at -
					  next->first->ready_at);
		if (next->first == NULL || later < 0)
			next = list;
	}
	return next;
}

/* Whether to read it may overfill a ring: one that it feeds, or the fullest,
 * which has no room for as much as it has. Who has not logged in feeds none. */
static bool has_no_room(const struct hd_worker *w, const struct hd_stream *s)
{
	if (!hd_stream_is_open(s) || s->user == NULL)
		return false;
	return (s->feeds & w->xfull) != 0 ||
	       hd_xring_fits(w) < beside_bytes(s) + HD_READ_LEAST_BYTES;
}

static void await_ring(struct hd_worker *w, struct hd_stream *s)
{
	uint64_t feeds = s->feeds & w->xfull;
	unsigned ring = feeds != 0 ? (unsigned)__builtin_ctzll(feeds)
				   : hd_xring_fullest(w);

	w->xawaited |= HD_XBIT(ring);
	s->waits = (uint8_t)(ring + 1);
	ready_in(&w->streams->waiting[ring], s);
}

struct hd_stream *hd_streams_next(struct hd_worker *w)
{
	struct hd_ready *list;

	while ((list = next_list(w))->first != NULL) {
		struct hd_stream *s = pop(list);

		if (__builtin_expect(s->waits > 0, 0))
			waits_no_more(s);
		if (reclaimed(s))
			continue;
		if (__builtin_expect(w->xfull == 0, 1) || !has_no_room(w, s))
			return s;
		await_ring(w, s);
	}
	return NULL;
}

void hd_stream_await_handshake(struct hd_stream *s)
{
	ready_out(list_of(s), s);
	s->handshaking = true;
	hd_stream_mark_ready(s);
}

static void list_in(struct hd_worker *w, struct hd_stream *s)
{
	s->prev = NULL;
	s->next = w->streams->first;
	if (s->next != NULL)
		s->next->prev = s;
	w->streams->first = s;
	w->streams->n++;
	hd_gauge_set(&w->stats.streams, w->streams->n);
}

static void list_out(struct hd_worker *w, struct hd_stream *s)
{
	if (s->prev != NULL)
		s->prev->next = s->next;
	else
		w->streams->first = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	w->streams->n--;
	hd_gauge_set(&w->stats.streams, w->streams->n);
}

/* ---- in and out of a worker ---- */

static uint64_t stream_tag(const struct hd_stream *s)
{
	return hd_tag(HD_OP_STREAM, s->slot, s->gen);
}

int hd_stream_attach(struct hd_worker *w, struct hd_stream *s)
{
	int r = hd_slots_add(&w->streams->slots, s, &s->slot, &s->gen);

	s->worker = w;
	s->feeds = s->user != NULL ? UINT64_MAX : 0;
	s->account = hd_account_of(w, s->mod);
	if (r < 0)
		return r;
	r = w->ring_ops->watch(w->ring, s->fd, HD_READY_IN | HD_READY_OUT,
			       stream_tag(s));
	if (r < 0) {
		hd_slots_remove(&w->streams->slots, s->slot);
		return r;
	}
	list_in(w, s);
	hd_lane_changed(s);
	if (s->ws != NULL)
		hd_ws_arrives(s);
	hd_stream_rearm(s);
	s->readable = true; /* an edge may have passed meanwhile */
	s->output = HD_OUTPUT_IDLE;
	return 0;
}

void hd_stream_unlist(struct hd_stream *s)
{
	struct hd_worker *w = s->worker;

	hd_assert(s->output != HD_OUTPUT_SENDING && s->reserved == NULL);
	hd_lane_moves(s);
	if (s->ws != NULL)
		hd_ws_leaves(s);
	if (s->tls != NULL)
		hd_tls_uncache(s->tls);
	hd_slots_remove(&w->streams->slots, s->slot);
	hd_heap_remove(&w->streams->timers, &s->timer);
	list_out(w, s);
	ready_out(list_of(s), s);
}

void hd_stream_detach(struct hd_stream *s)
{
	s->worker->ring_ops->unwatch(s->worker->ring, s->fd, stream_tag(s));
	hd_stream_unlist(s);
}

/* ---- found again ---- */

uint64_t hd_stream_id(const struct hd_stream *s)
{
	return ((uint64_t)s->slot + 1) << 32 | s->gen;
}

struct hd_stream *hd_stream_find(const struct hd_module *mod,
				 struct hd_worker *w, uint64_t id)
{
	struct hd_stream *s = hd_slots_get(&w->streams->slots,
					   (uint32_t)(id >> 32) - 1,
					   (uint32_t)id);
	bool its = s != NULL && s->mod == mod && hd_stream_is_open(s) &&
		   hd_stream_key(s) == NULL;

	return its ? s : NULL;
}

/* ---- asked about ---- */

void *hd_stream_state(struct hd_stream *s)
{
	return s->state;
}

struct hd_worker *hd_stream_worker(const struct hd_stream *s)
{
	return s->worker;
}

const union hd_addr *hd_stream_addr(const struct hd_stream *s)
{
	return &s->addr;
}

bool hd_stream_is_tls(const struct hd_stream *s)
{
	return s->tls != NULL;
}

bool hd_stream_is_leaving(const struct hd_stream *s)
{
	return s->deadline_ms[HD_DEADLINE_DRAIN] != 0;
}

const char *hd_stream_server_name(const struct hd_stream *s)
{
	return s->tls != NULL ? hd_tls_server_name(s->tls) : NULL;
}

const char *hd_stream_listener_name(const struct hd_stream *s)
{
	return s->listener->name;
}

const char *hd_stream_routes(const struct hd_stream *s)
{
	return hd_listener_routes(s->listener);
}

unsigned hd_stream_only(const struct hd_stream *s)
{
	return s->listener->only;
}

/* ---- what the kernel says ---- */

void hd_stream_on_ready(struct hd_stream *s, int32_t bits, bool disarmed)
{
	struct hd_worker *w = s->worker;

	if (disarmed && s->phase != HD_PHASE_ABORTED)
		w->ring_ops->watch(w->ring, s->fd, HD_READY_IN | HD_READY_OUT,
				   stream_tag(s));
	if (bits < 0) {
		hd_stream_abort(s, HD_CLOSE_ERROR);
		return;
	}
	if (bits & (HD_READY_IN | HD_READY_HUP)) {
		s->readable = true;
		s->rx_hup |= (bits & HD_READY_HUP) != 0;
		hd_stream_mark_ready(s);
	}
	if (s->output == HD_OUTPUT_BLOCKED &&
	    bits & (HD_READY_OUT | HD_READY_HUP)) {
		s->output = HD_OUTPUT_IDLE;
		hd_stream_mark_dirty(s);
	}
}
