/* SPDX-License-Identifier: MIT */
/* core/stream/ws_message.c - WebSocket as messages, both ways.
 *
 * A message that stands whole in the input goes to the protocol from there.
 * Of any other, what has come is kept in a chunk that at least doubles when it
 * grows; so a stranger who promises a large message costs no more than twice
 * what it has sent. It has message_timeout_ms for the rest.
 * Context: the stream's worker. */
#include "core/base/utf8.h"
#include "core/stream/stream_life.h"
#include "core/stream/ws.h"
#include <errno.h>
#include <hyper-derp/log.h>
#include <stdlib.h>
#include <string.h>

/* Of a worker's parts of messages; only those above LARGE_BYTES are refused. */
#define PARTS_LIMIT_BYTES (64 * 1024 * 1024)
#define LARGE_BYTES (64 * 1024)

/* ---- what has come of a message ---- */

static void count_part(struct hd_stream *s, uint32_t bytes)
{
	struct hd_streams *all = s->worker->streams;

	all->part_bytes += bytes;
	all->part_bytes -= s->ws->counted_bytes;
	s->ws->counted_bytes = bytes;
	hd_gauge_set(&s->worker->stats.ws_part_bytes, (int64_t)all->part_bytes);
}

void hd_ws_drop_part(struct hd_stream *s)
{
	hd_chunk_put(&s->worker->streams->pool, &s->ws->message);
	count_part(s, 0);
}

static bool may_hold(const struct hd_stream *s, size_t n)
{
	return n <= LARGE_BYTES ||
	       s->worker->streams->part_bytes - s->ws->counted_bytes + n <=
		       PARTS_LIMIT_BYTES;
}

static size_t part_bytes(const struct hd_ws *ws)
{
	return ws->message != NULL ? hd_chunk_len(ws->message) : 0;
}

/* Room for n more bytes. Returns a close code, or 0. */
static unsigned part_grow(struct hd_stream *s, size_t n)
{
	struct hd_chunk_pool *pool = &s->worker->streams->pool;
	struct hd_ws *ws = s->ws;
	size_t have = part_bytes(ws);
	size_t want = HD_MIN(have + HD_MAX(have, n), ws->in.limit_bytes);
	struct hd_chunk *c, *old = ws->message;

	if (old != NULL && hd_chunk_room(old) >= n)
		return 0;
	if (!may_hold(s, want))
		return HD_WS_CODE_LATER;
	c = hd_chunk_new(pool, want);
	if (c == NULL)
		return HD_WS_CODE_ERROR;
	if (have > 0)
		memcpy(c->data + c->tail, old->data + old->head, have);
	c->tail += (uint32_t)have;
	hd_chunk_put(pool, &old);
	ws->message = c;
	count_part(s, c->cap);
	return 0;
}

/* Returns false: it closes. */
static bool part_add(struct hd_stream *s, const uint8_t *p, size_t n)
{
	unsigned code = n > 0 ? part_grow(s, n) : 0;

	if (code != 0) {
		hd_log_info("message refused: code=%u (no memory for what has "
			    "come of it: %zu bytes)",
			    code, part_bytes(s->ws) + n);
		hd_ws_end(s->ws, code, HD_CLOSE_ERROR);
		return false;
	}
	if (n == 0)
		return true;
	memcpy(s->ws->message->data + s->ws->message->tail, p, n);
	s->ws->message->tail += (uint32_t)n;
	return true;
}

/* ---- input ---- */

static void give(struct hd_stream *s, unsigned opcode, uint8_t *p, size_t n)
{
	const struct hd_ws_message message = {
		.data = p,
		.len_bytes = (uint32_t)n,
		.kind = opcode == HD_WS_OP_TEXT ? HD_WS_TEXT : HD_WS_BINARY,
	};

	if (message.kind == HD_WS_TEXT && !hd_utf8_valid(p, n))
		hd_ws_end(s->ws, HD_WS_CODE_NO_UTF8, HD_CLOSE_PROTOCOL);
	else
		s->proto->message(s->mod, s, s->state, &message);
}

static void give_part(struct hd_stream *s, unsigned opcode)
{
	struct hd_chunk *c = s->ws->message;

	give(s, opcode, c->data + c->head, hd_chunk_len(c));
	hd_ws_drop_part(s);
}

static void on_piece(struct hd_stream *s, const struct hd_ws_event *e)
{
	if (e->last && s->ws->message == NULL) {
		give(s, e->opcode, e->data, e->n);
		return;
	}
	if (part_add(s, e->data, e->n) && e->last)
		give_part(s, e->opcode);
}

/* The time runs from a message's first byte that was kept to its last. */
static void watch_time(struct hd_stream *s)
{
	uint64_t *at = &s->deadline_ms[HD_DEADLINE_MESSAGE];

	if (!hd_ws_under_way(&s->ws->in))
		*at = 0;
	else if (*at == 0)
		hd_stream_deadline(s, HD_DEADLINE_MESSAGE, s->ws->timeout_ms);
}

size_t hd_ws_take(struct hd_stream *s, struct hd_ws *ws, uint8_t *p, size_t n)
{
	struct hd_ws_event e;
	size_t used = 0;

	ws->heard = true;
	while (hd_stream_takes_input(s) && !ws->ended) {
		used += hd_ws_next(&ws->in, p + used, n - used, &e);
		if (e.what == HD_WS_MORE)
			break;
		if (e.what == HD_WS_DATA)
			on_piece(s, &e);
		else if (e.what == HD_WS_CONTROL)
			hd_ws_control(s, ws, &e);
		else
			hd_ws_end(ws, e.code, HD_CLOSE_PROTOCOL);
	}
	watch_time(s);
	hd_ws_settle(s, ws);
	return used;
}

/* ---- time ---- */

void hd_ws_begin(struct hd_stream *s)
{
	s->ws->heard = true;
	hd_stream_deadline(s, HD_DEADLINE_PING, s->ws->ping_ms);
}

/* While we do not read it is not the peer who is slow. */
void hd_ws_late(struct hd_stream *s)
{
	if (!hd_stream_takes_input(s)) {
		hd_stream_deadline(s, HD_DEADLINE_MESSAGE, s->ws->timeout_ms);
		return;
	}
	hd_stream_close(s, HD_CLOSE_TIMEOUT);
}

/* A peer that answers is heard within the interval. */
void hd_ws_ping_due(struct hd_stream *s)
{
	if (!hd_stream_is_open(s))
		return;
	if (!s->ws->heard && hd_stream_takes_input(s)) {
		hd_stream_close(s, HD_CLOSE_TIMEOUT);
		return;
	}
	hd_ws_ping(s, s->ws);
	hd_stream_deadline(s, HD_DEADLINE_PING, s->ws->ping_ms);
}

/* ---- from worker to worker ---- */

void hd_ws_leaves(struct hd_stream *s)
{
	uint32_t bytes = s->ws->counted_bytes;

	count_part(s, 0);
	s->ws->counted_bytes = bytes;
}

void hd_ws_arrives(struct hd_stream *s)
{
	uint32_t bytes = s->ws->counted_bytes;

	s->ws->counted_bytes = 0;
	count_part(s, bytes);
}

/* ---- output ---- */

static struct hd_ws *messages_of(const struct hd_stream *s)
{
	hd_assert(s->ws != NULL && s->ws->messages);
	return s->ws;
}

uint8_t *hd_ws_reserve(struct hd_stream *s, enum hd_lane lane,
		       enum hd_ws_kind kind, size_t n)
{
	struct hd_ws *ws = messages_of(s);
	uint8_t head[HD_WS_HEAD_MAX_BYTES];
	size_t head_bytes = hd_ws_head(head, (enum hd_ws_opcode)kind, n);
	uint8_t *to;

	hd_assert(n <= HD_FRAME_MAX_BYTES);
	to = hd_stream_reserve_raw(s, lane, head_bytes + n);
	if (to == NULL)
		return NULL;
	memcpy(to, head, head_bytes);
	s->reserved->tail += (uint32_t)head_bytes;
	s->lane[lane].bytes += (uint32_t)head_bytes;
	ws->reserved_bytes = (uint32_t)n;
	return to + head_bytes;
}

bool hd_ws_send(struct hd_stream *s, enum hd_lane lane, enum hd_ws_kind kind,
		const void *data, size_t n)
{
	uint8_t *to = hd_ws_reserve(s, lane, kind, n);

	if (to == NULL)
		return false;
	if (n > 0)
		memcpy(to, data, n);
	hd_stream_commit(s, n);
	return true;
}

/* ---- what modules ask ---- */

const char *hd_ws_subprotocol(const struct hd_stream *s)
{
	return s->ws != NULL ? s->ws->subprotocol : "";
}

static char *reason_copy(const char *reason)
{
	size_t n = strnlen(reason, HD_WS_CONTROL_MAX_BYTES - 2);

	n = hd_utf8_prefix(reason, n);
	return n > 0 ? strndup(reason, n) : NULL;
}

void hd_ws_reason(struct hd_stream *s, const char *reason)
{
	if (s->ws == NULL || !hd_stream_is_open(s) || s->ws->ended)
		return;
	free(s->ws->reason);
	s->ws->reason = reason_copy(reason);
}

int hd_ws_close(struct hd_stream *s, enum hd_close why, unsigned code,
		const char *reason)
{
	if (s->ws == NULL || !hd_ws_code_valid(code))
		return -EINVAL;
	if (!hd_stream_is_open(s) || s->ws->ended)
		return 0;
	s->ws->code = (uint16_t)code;
	if (reason != NULL)
		hd_ws_reason(s, reason);
	hd_stream_close(s, why);
	return 0;
}

unsigned hd_ws_peer_code(const struct hd_stream *s)
{
	return s->ws != NULL ? s->ws->peer_code : HD_WS_CODE_ABNORMAL;
}

const char *hd_ws_peer_reason(const struct hd_stream *s)
{
	return s->ws != NULL && s->ws->peer_reason != NULL ? s->ws->peer_reason
							    : "";
}
