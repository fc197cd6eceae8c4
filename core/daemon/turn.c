/* SPDX-License-Identifier: MIT */
/* core/daemon/turn.c - a worker's turn: who is called, in which order.
 *
 *   wait (sends enter the kernel here) -> one TLS handshake step -> events ->
 *   inbox -> packets of other workers -> connections, datagrams -> who has left
 *   -> some reads -> timers -> flush what became due -> tell watchers who is
 *   here
 *
 * Input and output of a turn are in balance: what is read is flushed before
 * more is. How it sleeps is core/loop/worker_wait.c, how a worker begins and
 * ends is turn_life.c. Context: the worker. */
#include "core/base/probes.h"
#include "core/daemon/turn.h"
#include "core/loop/inbox.h"
#include "core/loop/tag.h"
#include "core/loop/timer.h"
#include "core/loop/worker_wait.h"
#include "core/loop/xring.h"
#include "core/module/module.h"
#include "core/net/udp.h"
#include "core/relay/peer.h"
#include "core/relay/presence.h"
#include "core/relay/relay_worker.h"
#include "core/stream/accept.h"
#include "core/stream/stream_life.h"
#include "core/tls/cipher_cache.h"

/* ---- events ---- */

static void stream_event(struct hd_worker *w, const struct hd_ring_event *e)
{
	struct hd_stream *s = hd_slots_get(
		&w->streams->slots, hd_tag_slot(e->tag), hd_tag_gen(e->tag));

	if (s == NULL)
		return; /* late: of a stream that has ended or moved */
	HD_CHECK_MAGIC(s, HD_STREAM_MAGIC);
	if (hd_tag_op(e->tag) == HD_OP_SENT)
		hd_stream_on_sent(s, e->res);
	else
		hd_stream_on_ready(s, e->res, e->disarmed);
}

static void udp_event(struct hd_worker *w, const struct hd_ring_event *e)
{
	struct hd_udp_socket *u =
		hd_slots_get(&w->udps->slots, hd_tag_slot(e->tag),
			     hd_tag_gen(e->tag));

	if (u != NULL)
		hd_udp_on_ready(w, u, e->disarmed);
}

static void carrier_event(struct hd_worker *w, const struct hd_ring_event *e)
{
	struct hd_carrier *c =
		hd_slots_get(&w->udps->carriers, hd_tag_slot(e->tag),
			     hd_tag_gen(e->tag));

	if (c != NULL)
		hd_carrier_on_ready(w, c, e->disarmed);
}

static void accept_event(struct hd_worker *w, const struct hd_ring_event *e)
{
	struct hd_acceptor *a =
		hd_slots_get(&w->streams->acceptors, hd_tag_slot(e->tag),
			     hd_tag_gen(e->tag));

	if (a != NULL)
		hd_accept_on_ready(w, a, e->disarmed);
}

static void wake_event(struct hd_worker *w, const struct hd_ring_event *e)
{
	hd_worker_woken(w, e->disarmed);
}

static void no_event(struct hd_worker *w, const struct hd_ring_event *e)
{
	(void)w;
	(void)e;
}

static void (*const on_event[HD_OP_N])(struct hd_worker *,
				       const struct hd_ring_event *) = {
	[HD_OP_NONE] = no_event,       [HD_OP_WAKE] = wake_event,
	[HD_OP_ACCEPT] = accept_event, [HD_OP_STREAM] = stream_event,
	[HD_OP_SENT] = stream_event,   [HD_OP_UDP] = udp_event,
	[HD_OP_CARRIER] = carrier_event,
};

static void take_events(struct hd_worker *w)
{
	struct hd_ring_event e;

	while (w->ring_ops->next(w->ring, &e))
		on_event[hd_tag_op(e.tag)](w, &e);
}

/* ---- its parts ---- */

/* Costly, so one step a turn, when what was queued has just been sent. */
static void step_handshake(struct hd_worker *w)
{
	struct hd_stream *s = hd_streams_next_handshake(w);

	if (s != NULL && !hd_stream_is_open(s))
		hd_stream_read(s);
	else if (s != NULL)
		hd_stream_handshake(s);
}

/* What one turn reads before output is flushed: input and output in balance,
 * and what is on its way through stays in the second-level cache. */
#define TURN_READS 64
#define TURN_BYTES (256 * 1024)
#define TURN_TIGHT_BYTES (64 * 1024)

static bool may_read(const struct hd_worker *w, unsigned reads)
{
	size_t most = hd_streams_tight(w->streams) ? TURN_TIGHT_BYTES
						   : TURN_BYTES;

	return reads < TURN_READS && w->streams->turn_bytes < most;
}

/* A read that brings no packet, nothing or half of one, does not say which
 * rings it feeds; of who is new, other whole frames say that it feeds none. */
static void note_fed(struct hd_stream *s, bool packets, bool bytes)
{
	uint64_t fed = s->worker->xfed;

	if (fed != 0 || packets)
		s->feeds = fed;
	else if (s->feeds == UINT64_MAX && bytes && s->kept == NULL)
		s->feeds = 0;
}

static void read_one(struct hd_worker *w, struct hd_stream *s)
{
	uint64_t packets = w->stats.packets_in.n, bytes = s->bytes_in;

	w->xfed = 0;
	hd_stream_read(s);
	if (!s->rx_held) /* else it has logged in */
		note_fed(s, w->stats.packets_in.n != packets,
			 s->bytes_in != bytes);
}

static void take_input(struct hd_worker *w)
{
	w->streams->turn_bytes = 0;
	for (unsigned n = 0; may_read(w, n); n++) {
		struct hd_stream *s = hd_streams_next(w);

		if (s == NULL)
			return;
		read_one(w, s);
	}
}

static void run_timers(struct hd_worker *w)
{
	struct hd_heap_node *node;

	while ((node = hd_heap_pop(&w->streams->timers, w->now_ms)) != NULL)
		hd_stream_on_timer(
			hd_container_of(node, struct hd_stream, timer));
	hd_timers_run(w);
}

static void flush(struct hd_worker *w)
{
	struct hd_stream *s;

	while ((s = hd_streams_pop_dirty(w)) != NULL)
		hd_stream_flush(s);
	hd_udps_flush(w);
	hd_xring_wake(w);
}

static void sweep(struct hd_worker *w)
{
	const struct hd_streams *all = w->streams;

	if (all->ciphers->n_busy > 0 && w->now_ms >= all->sweep_ms)
		hd_streams_sweep(w);
	if (all->ended.due_ms != 0 && w->now_ms >= all->ended.due_ms)
		hd_ended_tell(w);
}

/* ---- the turn ---- */

void hd_turn(struct hd_worker *w)
{
	hd_worker_wait(w, hd_streams_due_ms(w));
	hd_meter_turn(&w->meter);
	HD_PROBE(turn_begin, w->index);
	step_handshake(w);
	take_events(w);
	hd_inbox_run(w);
	hd_xring_run(w, hd_relay_take);
	hd_xring_look(w);
	w->more = hd_accept_run(w);
	w->more |= hd_udps_run(w);
	if (w->relay->gone.first != NULL)
		w->more |= hd_gone_run(w);
	take_input(w);
	run_timers(w);
	flush(w);
	w->more |= w->relay->gone.first !=
		   NULL; /* left in this turn: tell in the next */
	if (w->relay->feeds != NULL) /* behind flush(), which closes some */
		w->more |= hd_feeds_run(w);
	sweep(w);
	HD_PROBE(turn_end, w->index);
}

bool hd_turn_settle(struct hd_worker *w)
{
	bool busy;

	w->ring_ops->wait(w->ring, 0, 0);
	hd_worker_read_clock(w);
	take_events(w);
	busy = !hd_inbox_empty(&w->inbox) || hd_xring_any(w);
	hd_inbox_run(w);
	hd_xring_run(w, hd_relay_take);
	flush(w);
	for (struct hd_stream *s = w->streams->first; s != NULL; s = s->next)
		busy |= s->output == HD_OUTPUT_SENDING;
	return busy || w->streams->dirty != NULL;
}

const struct hd_worker_ops hd_turn_ops = {
	.init = hd_turn_init,
	.begin = hd_modules_start,
	.turn = hd_turn,
	.end = hd_turn_end,
	.free = hd_turn_free,
};
