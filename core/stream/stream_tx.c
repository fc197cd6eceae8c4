/* SPDX-License-Identifier: MIT */
/* core/stream/stream_tx.c - the sending half of a stream.
 *
 *        append             flush: seal, send        all taken
 *   IDLE -------> (lanes) ----------------> SENDING ----------> IDLE
 *                    ^                         | the kernel is full
 *                    `--- more is appended     v
 *                                           BLOCKED --room--> SENDING
 *
 * Frames are copied once, into chunks of the lane they belong to. While a send
 * is under way the lanes fill: batching grows with load and adds no delay when
 * idle. A send takes everything that is queued, so that output keeps up with
 * input at any load. Only what is sealed is in `flight`; it is never dropped,
 * so a drop neither splits a frame nor disturbs TLS's record numbers.
 *
 * Always: one send under way. Context: the stream's worker. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include "core/base/probes.h"
#include "core/loop/tag.h"
#include "core/stream/stream_life.h"
#include "core/stream/ws.h"
#include "core/tls/ktls.h"
#include "core/tls/tls.h"

/* Sealed output cannot be dropped: no more than this waits before the lanes
 * join it. */
#define SEAL_BELOW_BYTES HD_CHUNK_BYTES
/* After our end: how long the peer may take to send its own. */
#define LINGER_MS 1000

/* ---- lanes ---- */

void hd_stream_dropped(struct hd_stream *s, enum hd_drop why, bool urgent,
		       unsigned n)
{
	s->drops[why] += n;
	hd_count(&s->worker->stats.drops[why][urgent], n);
	if (hd_stream_key(s) != NULL)
		HD_PROBE(drop, s->worker->index, why, n, urgent,
			 s->user->key_text, s->user->key);
}

/* Bulk fills whole records; the other lanes are a few small frames. */
static struct hd_chunk *lane_grow(struct hd_stream *s, enum hd_lane lane,
				  size_t n)
{
	size_t size = lane == HD_LANE_BULK ? HD_MAX(n, HD_CHUNK_BYTES) : n;
	struct hd_chunk *c = hd_chunk_new(&s->worker->streams->pool, size);

	if (c != NULL)
		hd_queue_push(&s->lane[lane], c);
	return c;
}

/* The chunk that takes n more bytes. Small ones share it, whatever they are:
 * a limit on bytes would not bound chunks. Returns NULL: there is no room. */
static struct hd_chunk *lane_chunk(struct hd_stream *s, enum hd_lane lane,
				   size_t n, bool raw)
{
	struct hd_chunk *c;

	if (!hd_lane_room(s, lane, n))
		return NULL;
	c = s->lane[lane].last;
	if (c == NULL || c->raw != raw || hd_chunk_room(c) < n)
		c = lane_grow(s, lane, n);
	if (c == NULL)
		return NULL;
	c->raw = raw;
	s->reserved = c;
	s->reserved_lane = (uint8_t)lane;
	return c;
}

static uint8_t *reserve(struct hd_stream *s, enum hd_lane lane, size_t n,
			bool raw)
{
	struct hd_chunk *c;

	hd_assert(s->reserved == NULL);
	if (!hd_stream_is_open(s)) {
		if (lane != HD_LANE_CONTROL)
			hd_stream_dropped(s, HD_DROP_GONE,
					  lane == HD_LANE_URGENT, 1);
		return NULL;
	}
	c = lane_chunk(s, lane, n, raw);
	return c != NULL ? c->data + c->tail : NULL;
}

static bool has_messages(const struct hd_stream *s)
{
	return s->ws != NULL && s->ws->messages;
}

uint8_t *hd_stream_reserve(struct hd_stream *s, enum hd_lane lane, size_t n)
{
	hd_assert(n <= HD_FRAME_MAX_BYTES);
	return has_messages(s) ? hd_ws_reserve(s, lane, HD_WS_BINARY, n)
			       : reserve(s, lane, n, false);
}

uint8_t *hd_stream_reserve_raw(struct hd_stream *s, enum hd_lane lane, size_t n)
{
	return reserve(s, lane, n, true);
}

static void commit(struct hd_stream *s, size_t n)
{
	struct hd_chunk *c = hd_steal(&s->reserved);

	hd_assert(c != NULL && n <= hd_chunk_room(c));
	c->tail += (uint32_t)n;
	c->frames++;
	s->lane[s->reserved_lane].bytes += (uint32_t)n;
	s->lane[s->reserved_lane].frames++;
	if (s->reserved_lane == HD_LANE_BULK)
		hd_lane_changed(s);
	if (s->output == HD_OUTPUT_IDLE)
		hd_stream_mark_dirty(s);
}

void hd_stream_commit(struct hd_stream *s, size_t n)
{
	/* its head has said how long it is */
	hd_assert(!has_messages(s) || n == s->ws->reserved_bytes);
	commit(s, n);
}

bool hd_stream_append(struct hd_stream *s, enum hd_lane lane, const void *data,
		      size_t n)
{
	uint8_t *to = hd_stream_reserve(s, lane, n);

	if (to == NULL)
		return false;
	memcpy(to, data, n);
	hd_stream_commit(s, n);
	return true;
}

bool hd_stream_append_raw(struct hd_stream *s, const void *data, size_t n)
{
	struct hd_chunk *c;

	if (!hd_stream_is_open(s))
		return false;
	c = lane_chunk(s, HD_LANE_CONTROL, n, true);
	if (c == NULL)
		return false;
	memcpy(c->data + c->tail, data, n);
	commit(s, n);
	return true;
}

static void count_cleared(struct hd_stream *s, enum hd_drop why,
			  enum hd_lane lane)
{
	unsigned n = s->lane[lane].frames;

	if (n > 0)
		hd_stream_dropped(s, why, lane == HD_LANE_URGENT, n);
}

void hd_stream_clear_output(struct hd_stream *s, enum hd_drop why)
{
	if (hd_stream_key(s) != NULL || s->trusted) {
		count_cleared(s, why, HD_LANE_URGENT);
		count_cleared(s, why, HD_LANE_BULK);
	}
	for (unsigned i = 0; i < HD_LANE_N; i++)
		hd_queue_clear(&s->worker->streams->pool, &s->lane[i]);
	hd_queue_clear(&s->worker->streams->pool, &s->flight);
	hd_lane_changed(s);
}

/* ---- sending ---- */

static int unacked(const struct hd_stream *s)
{
	int n = 0;

	return ioctl(s->fd, SIOCOUTQ, &n) == 0 ? n : 0;
}

/* Source: derper's 30 s for other relays, whose keys and packets are those of
 * many. */
#define TRUSTED_PATIENCE_MS 30000
static uint64_t patience_ms(const struct hd_stream *s)
{
	uint64_t ms = s->worker->conf->write_timeout_ms;

	if (s->user != NULL && s->user->patience_ms != 0)
		return s->user->patience_ms;
	return s->trusted ? HD_MAX(ms, TRUSTED_PATIENCE_MS) : ms;
}

void hd_stream_await_progress(struct hd_stream *s)
{
	s->unacked = unacked(s);
	hd_stream_deadline(s, HD_DEADLINE_WRITE, patience_ms(s));
}

/* The kernel wakes us for room by the third of its buffer; a slow reader that
 * takes a little in that time is alive. */
bool hd_stream_progressed(const struct hd_stream *s)
{
	return unacked(s) < s->unacked;
}

/* -EINTR: kTLS waited for a lock, not for room. No room would wake us. */
static uint8_t output_after(const struct hd_stream *s, int32_t res)
{
	if (res == -EINTR)
		return HD_OUTPUT_IDLE;
	return res < 0 || (uint32_t)res < s->send_bytes ? HD_OUTPUT_BLOCKED
							: HD_OUTPUT_IDLE;
}

static void send_took(struct hd_stream *s, int32_t res)
{
	struct hd_worker *w = s->worker;
	bool all;

	if (res < 0 && res != -EAGAIN && res != -EINTR) {
		hd_stream_abort(s, res == -EPIPE || res == -ECONNRESET
					   ? HD_CLOSE_PEER
					   : HD_CLOSE_ERROR);
		return;
	}
	if (res > 0) {
		s->bytes_out += (uint32_t)res;
		hd_count(&w->stats.send_bytes, (uint32_t)res);
		hd_account_add(s->account, HD_ACCOUNT_BYTES_OUT, (uint32_t)res);
		if (s->tls != NULL)
			hd_tls_kernel_sent(s->tls, (uint32_t)res);
		hd_queue_consume(&w->streams->pool, &s->flight, (uint32_t)res);
	}
	all = s->flight.first == NULL;
	s->output = output_after(s, res);
	if (all)
		s->deadline_ms[HD_DEADLINE_WRITE] = 0;
	else if (res > 0 || s->deadline_ms[HD_DEADLINE_WRITE] == 0)
		hd_stream_await_progress(s);
	if (s->output == HD_OUTPUT_BLOCKED) { /* it may have less from now on */
		hd_stream_look(s);
		(void)hd_lane_room(s, HD_LANE_BULK, 0);
	}
}

/* The worker sleeps on although sends complete (ring_uring.c); not when
 * something goes on after this one. */
void hd_stream_expect_sent(struct hd_stream *s)
{
	s->worker->more = true;
}

static bool is_queued(const struct hd_stream *s)
{
	return s->lane[HD_LANE_CONTROL].first ||
	       s->lane[HD_LANE_URGENT].first || s->lane[HD_LANE_BULK].first;
}

static void send_flight(struct hd_stream *s)
{
	struct hd_worker *w = s->worker;
	struct iovec iov[HD_SEND_IOV];
	unsigned n = 0;
	int res;

	s->send_bytes = 0;
	for (struct hd_chunk *c = s->flight.first; c && n < HD_SEND_IOV;
	     c = c->next) {
		iov[n++] = (struct iovec){ c->data + c->head, hd_chunk_len(c) };
		s->send_bytes += (uint32_t)hd_chunk_len(c);
	}
	res = w->ring_ops->send(w->ring, s->fd,
				hd_tag(HD_OP_SENT, s->slot, s->gen), iov, n);
	if (res == -EINPROGRESS) {
		s->output = HD_OUTPUT_SENDING;
		w->sent = true;
		if (s->send_bytes < s->flight.bytes || is_queued(s) ||
		    s->user_waits)
			hd_stream_expect_sent(s);
		return;
	}
	send_took(s, res);
}

void hd_stream_on_sent(struct hd_stream *s, int32_t res)
{
	s->output = HD_OUTPUT_IDLE;
	if (s->phase != HD_PHASE_ABORTED)
		send_took(s, res);
	if (!hd_stream_is_open(s) || s->user_waits ||
	    (s->output == HD_OUTPUT_IDLE &&
	     (s->flight.first != NULL || is_queued(s))))
		hd_stream_mark_dirty(s);
}

/* ---- the end of a turn ---- */

void hd_stream_say_end(struct hd_stream *s)
{
	struct hd_tls_env env = hd_stream_tls_env(s);

	if (s->tls != NULL && !s->handshaking)
		hd_tls_close_notify(s->tls, &env);
}

/* Records that the kernel made and TCP has no room for would be lost at the
 * end, goodbye with them. Returns false: later. */
bool hd_stream_kernel_goodbye(struct hd_stream *s)
{
	if (s->tls == NULL || !(hd_tls_kernel(s->tls) & HD_KTLS_TX))
		return true;
	if (!hd_ktls_has_room(s->fd)) {
		s->output = HD_OUTPUT_BLOCKED;
		return false;
	}
	s->output = HD_OUTPUT_IDLE;
	hd_tls_kernel_alert(s->tls, s->fd);
	return true;
}

/* All that was queued has left: say goodbye, wait for the peer's. */
static void finish_closing(struct hd_stream *s)
{
	if (s->phase < HD_PHASE_SHUT && !hd_stream_kernel_goodbye(s))
		return;
	if (s->rx_eof || s->phase == HD_PHASE_ABORTED) {
		hd_stream_end(s);
		return;
	}
	if (s->phase == HD_PHASE_SHUT)
		return;
	s->phase = HD_PHASE_SHUT;
	s->readable = true;
	shutdown(s->fd, SHUT_WR);
	hd_stream_deadline(s, HD_DEADLINE_CLOSE, LINGER_MS);
	hd_stream_mark_ready(s);
}

/* While the kernel is behind, what is sealed goes first: if each bit of room
 * sealed all lanes, a slow reader's flight would grow without limit. */
static void send_all(struct hd_stream *s)
{
	while (s->output == HD_OUTPUT_IDLE && s->phase != HD_PHASE_ABORTED) {
		if (s->flight.bytes < SEAL_BELOW_BYTES)
			hd_stream_seal(s);
		if (s->phase == HD_PHASE_ABORTED || s->flight.first == NULL)
			return;
		send_flight(s);
	}
}

static void flush_closing(struct hd_stream *s)
{
	bool sending = s->output == HD_OUTPUT_SENDING;

	if (s->phase == HD_PHASE_ABORTED && !sending) {
		hd_stream_end(s);
		return;
	}
	if (s->phase == HD_PHASE_CLOSING && !sending) {
		s->phase = HD_PHASE_ENDING;
		hd_stream_seal(s);
		hd_stream_say_end(s);
	}
	send_all(s);
	if (s->output == HD_OUTPUT_SENDING)
		hd_stream_expect_sent(s);
	else if (s->flight.first == NULL || s->phase == HD_PHASE_ABORTED)
		finish_closing(s);
}

static void user_closing(struct hd_stream *s)
{
	if (s->user != NULL && s->user->ops->closing != NULL)
		s->user->ops->closing(s);
}

void hd_stream_flush(struct hd_stream *s)
{
	if (!hd_stream_is_open(s)) {
		user_closing(s);
		flush_closing(s);
		return;
	}
	send_all(s);
	if (s->kernel_tries > 0)
		hd_stream_offer_kernel(s);
	if (s->user_waits && hd_stream_is_open(s))
		s->user->ops->drained(s);
}
