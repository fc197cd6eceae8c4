/* SPDX-License-Identifier: MIT */
/* core/stream/stream_seal.c - what is queued becomes bytes for the wire:
 * WebSocket frames, TLS records. Context: the stream's worker. */
#include <errno.h>
#include <string.h>
#include "core/base/clock.h"
#include "core/stream/stream_life.h"
#include "core/stream/ws.h"
#include "core/tls/ktls.h"
#include "core/tls/tls.h"

/* Sealed output cannot be dropped: of a long lane a part goes first, and the
 * rest when that has left. More than one send takes is never worth it. */
#define SEAL_BULK_BYTES (256 * 1024)

static void take_bulk(struct hd_stream *s, struct hd_queue *to)
{
	struct hd_queue *bulk = &s->lane[HD_LANE_BULK];

	if (!hd_stream_is_open(s) || bulk->bytes <= SEAL_BULK_BYTES)
		hd_queue_append(to, bulk);
	else
		while (to->bytes < SEAL_BULK_BYTES)
			hd_queue_push(to, hd_queue_pop(bulk));
	hd_lane_changed(s);
}

static void ws_head(struct hd_chunk *c)
{
	uint8_t head[HD_WS_HEAD_MAX_BYTES];
	size_t n = hd_ws_head(head, HD_WS_OP_BINARY, hd_chunk_len(c));

	hd_assert(n <= c->head);
	c->head -= (uint32_t)n;
	memcpy(c->data + c->head, head, n);
}

/* The client that Tailscale's browser code uses takes messages of 32 KiB, as
 * derper does. Returns the front of a larger chunk; NULL: c is the message,
 * also when out of memory. */
static struct hd_chunk *ws_cut(struct hd_chunk_pool *pool, struct hd_chunk *c)
{
	struct hd_chunk *front;

	if (hd_chunk_len(c) <= HD_WS_BYTES_MAX_BYTES)
		return NULL;
	front = hd_chunk_new(pool, HD_CHUNK_BYTES);
	if (front == NULL)
		return NULL;
	memcpy(front->data + front->tail, c->data + c->head, HD_CHUNK_BYTES);
	front->tail += HD_CHUNK_BYTES;
	c->head += HD_CHUNK_BYTES;
	return front;
}

static void ws_frame(struct hd_chunk_pool *pool, struct hd_queue *q)
{
	struct hd_queue out = { 0 };
	struct hd_chunk *c, *front;

	while ((c = hd_queue_pop(q)) != NULL) {
		while (!c->raw && (front = ws_cut(pool, c)) != NULL) {
			ws_head(front);
			hd_queue_push(&out, front);
		}
		if (!c->raw)
			ws_head(c);
		hd_queue_push(&out, c);
	}
	*q = out;
}

/* The Close frame stands behind everything else (RFC 6455, 5.5.1). */
static void ws_end(struct hd_stream *s, struct hd_queue *q)
{
	uint8_t frame[HD_WS_CLOSE_MAX_BYTES];
	size_t n = hd_ws_goodbye(s, s->ws, frame);
	struct hd_chunk *c;

	if (n == 0)
		return;
	c = hd_chunk_new(&s->worker->streams->pool, n);
	if (c == NULL)
		return;
	memcpy(c->data + c->tail, frame, n);
	c->tail += (uint32_t)n;
	c->raw = true;
	hd_queue_push(q, c);
}

/* The kernel's key, before more is sent under it. Returns false: not now. */
static bool kernel_ready(struct hd_stream *s)
{
	int r = hd_tls_kernel_sending(s->tls, s->fd);

	if (r == -EAGAIN) { /* no room for KeyUpdate */
		s->output = HD_OUTPUT_BLOCKED;
		hd_stream_await_progress(s);
	} else if (r < 0) {
		if (r == -EKEYEXPIRED)
			hd_count(&s->worker->stats.ktls_rekey, 1);
		hd_stream_abort(s, HD_CLOSE_ERROR);
	}
	return r == 0;
}

/* ---- how long packets are queued ---- */

void hd_stream_time(struct hd_stream *s)
{
	if (s->queued_ns == 0)
		s->queued_ns = hd_clock_ns();
}

static void timed(struct hd_stream *s)
{
	hd_observe(&s->worker->stats.queue_time, hd_clock_ns() - s->queued_ns);
	s->queued_ns = 0;
}

/* ---- sealing ---- */

void hd_stream_seal(struct hd_stream *s)
{
	struct hd_queue q = { 0 };

	if (s->tls != NULL && hd_tls_kernel(s->tls) & HD_KTLS_TX &&
	    !kernel_ready(s))
		return;
	hd_queue_append(&q, &s->lane[HD_LANE_CONTROL]);
	hd_queue_append(&q, &s->lane[HD_LANE_URGENT]);
	take_bulk(s, &q);
	if (s->ws != NULL && !hd_stream_is_open(s))
		ws_end(s, &q);
	if (q.first == NULL)
		return;
	if (s->queued_ns != 0)
		timed(s);
	if (s->ws != NULL)
		ws_frame(&s->worker->streams->pool, &q);
	if (s->tls == NULL) {
		hd_queue_append(&s->flight, &q);
		return;
	}
	struct hd_tls_env env = hd_stream_tls_env(s);

	if (hd_tls_seal(s->tls, &env, &q) < 0)
		hd_stream_abort(s, HD_CLOSE_ERROR);
	hd_queue_clear(env.pool, &q);
}

/* What was sealed here has left: the kernel may take over. */
void hd_stream_offer_kernel(struct hd_stream *s)
{
	unsigned want = s->worker->streams->ktls;

	if (s->output == HD_OUTPUT_SENDING || s->phase == HD_PHASE_ABORTED ||
	    s->flight.first != NULL)
		return;
	s->kernel_tries--;
	if (hd_tls_to_kernel(s->tls, s->fd, want) == want) {
		s->kernel_tries = 0;
		hd_tls_uncache(s->tls);
	}
	s->readable = true; /* an edge may have gone to the old reader */
	hd_stream_mark_ready(s);
}
