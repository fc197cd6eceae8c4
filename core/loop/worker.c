/* SPDX-License-Identifier: MIT */
/* core/loop/worker.c - a worker's thread and its loop.
 *
 * One turn:  wait (sends enter the kernel here) - one TLS handshake step -
 * events - inbox - packets of other workers - some reads - timers - flush what
 * became due.
 * Sleeping and waking: worker_wait.c; starting and stopping all of them:
 * core/loop/workers.c. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "core/base/probes.h"
#include "core/loop/inbox.h"
#include "core/loop/tag.h"
#include "core/loop/timer.h"
#include "core/loop/worker_run.h"
#include "core/loop/xring.h"
#include "core/net/udp.h"
#include "core/relay/pairs.h"
#include "core/relay/peer.h"
#include "core/stream/accept.h"
#include "core/stream/stream_life.h"

/* What a read brings stands behind the front of a record. */
#define CIPHER_BYTES (HD_READ_BYTES + HD_TLS_CUT_BYTES)

static __thread struct hd_worker *self;

struct hd_worker *hd_worker_self(void)
{
	return self;
}

uint64_t hd_now_ms(const struct hd_worker *w)
{
	return w->now_ms;
}

/* ---- events ---- */

static void stream_event(struct hd_worker *w, const struct hd_event *e)
{
	struct hd_stream *s = hd_slots_get(&w->slots, hd_tag_slot(e->tag),
					   hd_tag_gen(e->tag));

	if (s == NULL)
		return; /* late: of a stream that has ended or moved */
	HD_CHECK_MAGIC(s, HD_STREAM_MAGIC);
	if (hd_tag_op(e->tag) == HD_OP_SENT)
		hd_stream_on_sent(s, e->res);
	else
		hd_stream_on_ready(s, e->res, e->disarmed);
}

static void udp_event(struct hd_worker *w, const struct hd_event *e)
{
	struct hd_udp *u = hd_slots_get(&w->udps, hd_tag_slot(e->tag),
					hd_tag_gen(e->tag));

	if (u != NULL)
		hd_udp_on_ready(w, u, e->disarmed);
}

static void accept_event(struct hd_worker *w, const struct hd_event *e)
{
	struct hd_acceptor *a = hd_slots_get(
		&w->acceptors, hd_tag_slot(e->tag), hd_tag_gen(e->tag));

	if (a != NULL)
		hd_accept_on_ready(w, a, e->disarmed);
}

static void wake_event(struct hd_worker *w, const struct hd_event *e)
{
	hd_worker_woken(w, e->disarmed);
}

static void no_event(struct hd_worker *w, const struct hd_event *e)
{
	(void)w;
	(void)e;
}

static void (*const on_event[HD_OP_N])(struct hd_worker *,
				       const struct hd_event *) = {
	[HD_OP_NONE] = no_event,       [HD_OP_WAKE] = wake_event,
	[HD_OP_ACCEPT] = accept_event, [HD_OP_STREAM] = stream_event,
	[HD_OP_SENT] = stream_event,   [HD_OP_UDP] = udp_event,
};

static void take_events(struct hd_worker *w)
{
	struct hd_event e;

	while (w->ring_ops->next(w->ring, &e))
		on_event[hd_tag_op(e.tag)](w, &e);
}

/* ---- a turn ---- */

/* Costly, so one step a turn, when what was queued has just been sent. */
static void shake_hands(struct hd_worker *w)
{
	struct hd_stream *s = hd_streams_pop_ready(&w->shaking);

	if (s != NULL && s->closing)
		hd_stream_read(s);
	else if (s != NULL)
		hd_stream_handshake(s);
}

static bool may_read(const struct hd_worker *w, unsigned reads)
{
	return reads < HD_TURN_READS && w->turn_bytes < HD_TURN_BYTES &&
	       !w->xfull;
}

static void take_input(struct hd_worker *w)
{
	w->turn_bytes = 0;
	for (unsigned n = 0; may_read(w, n); n++) {
		struct hd_stream *s = hd_streams_pop_ready(&w->ready);

		if (s == NULL)
			return;
		hd_stream_read(s);
	}
}

static void run_timers(struct hd_worker *w)
{
	struct hd_heap_node *node;

	while ((node = hd_heap_pop(&w->stream_timers, w->now_ms)) != NULL)
		hd_stream_on_timer(
			hd_container_of(node, struct hd_stream, timer));
	hd_timers_run(w);
}

/* An idle connection owns keys and nothing else. */
#define SWEEP_MS 2000

static void sweep(struct hd_worker *w)
{
	if (w->sweep_ms != 0 && w->now_ms < w->sweep_ms)
		return;
	if (w->sweep_ms != 0)
		hd_cipher_sweep(&w->ciphers);
	w->sweep_ms = w->ciphers.n_busy > 0 ? w->now_ms + SWEEP_MS : 0;
}

static void flush(struct hd_worker *w)
{
	struct hd_stream *s;

	while ((s = hd_streams_pop_dirty(w)) != NULL)
		hd_stream_flush(s);
	hd_udps_flush(w);
	hd_xring_wake(w);
}

static void turn(struct hd_worker *w)
{
	hd_worker_wait(w);
	hd_meter_turn(&w->meter);
	HD_PROBE(turn_begin, w->index);
	shake_hands(w);
	take_events(w);
	hd_inbox_run(w);
	hd_xring_run(w, hd_relay_take);
	hd_xring_look(w);
	w->more = hd_accept_run(w);
	w->more |= hd_udps_run(w);
	if (w->gone.first != NULL)
		w->more |= hd_gone_run(w);
	take_input(w);
	run_timers(w);
	flush(w);
	w->more |= w->gone.first != NULL; /* left in this turn: tell in the next */
	sweep(w);
	HD_PROBE(turn_end, w->index);
}

/* ---- life ---- */

static void *map_buffer(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static int open_parts(struct hd_worker *w, struct hd_error *err)
{
	int r = w->ring_ops->open(w->conf, &w->ring, err);

	if (r < 0)
		return r;
	w->plain = map_buffer(HD_PLAIN_BYTES);
	w->cipher = map_buffer(CIPHER_BYTES);
	if (w->plain == NULL || w->cipher == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	r = w->ring_ops->watch(w->ring, w->wake_fd, hd_tag(HD_OP_WAKE, 0, 0));
	if (r < 0)
		return hd_error_set(err, r, "eventfd cannot be watched");
	return 0;
}

static void close_parts(struct hd_worker *w)
{
	w->ring_ops->close(&w->ring);
	if (w->plain != NULL)
		munmap(w->plain, HD_PLAIN_BYTES);
	if (w->cipher != NULL)
		munmap(w->cipher, CIPHER_BYTES);
	hd_chunk_pool_free(&w->pool);
	hd_cipher_cache_free(&w->ciphers);
	hd_pairs_free(w);
	hd_heap_free(&w->stream_timers);
	hd_heap_free(&w->module_timers);
	hd_slots_free(&w->slots);
	hd_slots_free(&w->acceptors);
	hd_slots_free(&w->udps);
	hd_relay_table_free(&w->relay);
	hd_relay_table_free(&w->gone.table);
	free(w->trace);
	w->trace = NULL;
}

static void close_streams(struct hd_worker *w, bool at_once)
{
	for (struct hd_stream *s = w->streams; s != NULL; s = s->next) {
		if (at_once)
			hd_stream_abort(s, HD_CLOSE_DRAIN);
		else
			hd_stream_close(s, HD_CLOSE_DRAIN);
	}
}

#define BACK_IN_MS 1000 /* a restart takes about that */
#define BACK_SPREAD_MS 2000 /* not all of them at once */
#define TRY_FOR_MS 30000

static void tell_restart(struct hd_worker *w)
{
	uint64_t i = 0, n = HD_MAX(1u, w->n_streams);

	for (struct hd_stream *s = w->streams; s != NULL; s = s->next, i++) {
		const struct hd_peer_ops *ops = hd_peer_ops_of(s);
		uint32_t after_ms = (uint32_t)(BACK_SPREAD_MS * i / n);

		if (ops != NULL && ops->drain != NULL && !s->closing)
			ops->drain(s->peer, BACK_IN_MS + after_ms, TRY_FOR_MS);
	}
}

/* Those that other workers send meanwhile, too. */
static void drop_streams(struct hd_worker *w)
{
	do {
		close_streams(w, true);
		turn(w);
	} while (w->n_streams > 0 || w->dirty != NULL || hd_worker_has_input(w));
}

/* What is queued gets half a second to leave. */
static void wind_up(struct hd_worker *w)
{
	uint64_t until = w->now_ms + 500;

	hd_accept_stop(w);
	tell_restart(w);
	close_streams(w, false);
	while (w->n_streams > 0 && w->now_ms < until)
		turn(w);
	drop_streams(w);
}

static void free_timers(struct hd_worker *w)
{
	for (unsigned i = 0; i < hd_modules_n(); i++)
		hd_timers_free(w, hd_modules_at(i));
}

/* The modules' memory stays until all workers have ended: others read the
 * numbers in it. */
static void end(struct hd_worker *w)
{
	hd_modules_stop(w);
	free_timers(w);
	hd_udps_close(w, NULL);
	hd_inbox_shut(w);
	drop_streams(w);
	free_timers(w); /* closed() may have made some */
}

static void pin(const struct hd_worker *w)
{
	const struct hd_list *cores = &w->conf->pin_cores;
	cpu_set_t set;

	if (cores->n == 0)
		return;
	int cpu = atoi(cores->v[w->index % cores->n]);

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		hd_log_warn("worker %u is not pinned to CPU %d: %m", w->index,
			    cpu);
}

static int begin(struct hd_worker *w, struct hd_error *err)
{
	int r;

	pin(w);
	hd_worker_read_clock(w);
	r = open_parts(w, err);
	return r < 0 ? r : hd_modules_start(w, err);
}

void *hd_worker_main(void *arg)
{
	struct hd_worker *w = arg;
	struct hd_error err = { "" };
	int r;

	self = w;
	r = begin(w, &err);
	if (hd_boot_report(w, r, &err) == 0) {
		hd_log_notice("worker %u started (%s)", w->index,
			      w->ring_ops->name);
		while (!w->stopping) {
			turn(w);
			if (w->park != NULL)
				hd_worker_stand(w);
		}
		wind_up(w);
	}
	if (r == 0)
		end(w);
	else
		hd_inbox_shut(w);
	close_parts(w);
	return NULL;
}
