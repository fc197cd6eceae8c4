/* SPDX-License-Identifier: MIT */
/* core/stream/ws_snap.c - a WebSocket goes to another process: where it is
 * within a frame, and what it was opened with. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/chunk.h"
#include "core/base/snap_format.h"
#include "core/stream/stream.h"
#include "core/stream/ws.h"

#define N(field, tag) HD_SNAP_NUMBER(struct hd_ws, field, tag)
#define B(field, tag) HD_SNAP_ARRAY(struct hd_ws, field, tag)

static const struct hd_snap_field fields[] = {
	N(in.limit_bytes, HD_SNAP_WS_LIMIT),
	N(in.opcode, HD_SNAP_WS_OPCODE),
	N(in.head_bytes, HD_SNAP_WS_HEAD_BYTES),
	N(in.control_bytes, HD_SNAP_WS_CONTROL_BYTES),
	N(in.in_payload, HD_SNAP_WS_IN_PAYLOAD),
	N(in.left, HD_SNAP_WS_LEFT),
	N(in.message_bytes, HD_SNAP_WS_MESSAGE_BYTES),
	B(in.head, HD_SNAP_WS_HEAD),
	B(in.mask, HD_SNAP_WS_MASK),
	B(in.control, HD_SNAP_WS_CONTROL),
	N(heard, HD_SNAP_WS_HEARD),
	N(timeout_ms, HD_SNAP_WS_TIMEOUT),
	N(ping_ms, HD_SNAP_WS_PING),
};

const char *hd_ws_stays(const struct hd_ws *ws)
{
	return ws->ended || ws->said ? "closing" : NULL;
}

void hd_ws_pack(const struct hd_ws *ws, struct hd_snap *to)
{
	size_t at = hd_snap_begin(to, HD_SNAP_WS);

	hd_snap_struct(to, fields, HD_ARRAY_N(fields), ws);
	hd_snap_text(to, HD_SNAP_WS_SUBPROTOCOL, ws->subprotocol);
	hd_snap_text(to, HD_SNAP_WS_REASON, ws->reason);
	if (ws->messages) /* older binaries know only bytes, and refuse it */
		hd_snap_number(to, HD_SNAP_WS_MESSAGES, 1);
	if (ws->message != NULL)
		hd_snap_bytes(to, HD_SNAP_WS_PART,
			      ws->message->data + ws->message->head,
			      hd_chunk_len(ws->message));
	hd_snap_end(to, at);
}

/* ---- in the new process ---- */

struct image {
	uint64_t seen;
	char *subprotocol, *reason;
	uint64_t messages;
	struct hd_snap_in part; /* of a message; p NULL: none */
	struct hd_ws ws; /* without its text */
};

/* It stands in a Close frame, behind its code. */
static int take_reason(struct image *i, const struct hd_snap_item *item)
{
	return item->in.n <= HD_WS_CONTROL_MAX_BYTES - 2
		       ? hd_snap_to_text(item, &i->reason)
		       : -EBADMSG;
}

static int take_item(struct image *i, const struct hd_snap_item *item,
		     struct hd_error *err)
{
	int r = hd_snap_fill(item, fields, HD_ARRAY_N(fields), &i->ws,
			     &i->seen);

	if (r != 0)
		return HD_MIN(r, 0);
	if (item->tag == HD_SNAP_WS_SUBPROTOCOL)
		return hd_snap_to_text(item, &i->subprotocol);
	if (item->tag == HD_SNAP_WS_REASON)
		return take_reason(i, item);
	if (item->tag == HD_SNAP_WS_MESSAGES)
		return hd_snap_to_number(item, &i->messages);
	if (item->tag == HD_SNAP_WS_PART) {
		i->part = item->in;
		return 0;
	}
	return hd_snap_unknown(item, "a WebSocket", err);
}

/* Its byte is as it was written, and may be none of a bool's. */
static bool is_bool(const bool *p)
{
	return *(const uint8_t *)p <= 1;
}

/* What has come of a message: as much as its frames have said so far. */
static bool is_part_sound(const struct image *i)
{
	const struct hd_ws_frames *in = &i->ws.in;
	bool of_control = in->in_payload && hd_ws_is_control(in);
	uint64_t to_come = in->in_payload && !of_control ? in->left : 0;

	if (i->messages == 0)
		return i->part.n == 0;
	return i->messages == 1 && i->part.n == in->message_bytes - to_come;
}

static bool is_whole(const struct image *i)
{
	return hd_snap_whole(fields, HD_ARRAY_N(fields), i->seen) &&
	       is_bool(&i->ws.in.in_payload) && is_bool(&i->ws.heard) &&
	       hd_ws_is_sound(&i->ws.in) && is_part_sound(i);
}

/* Counted when the stream has its worker: hd_ws_arrives(). */
static int make_part(const struct image *i, struct hd_chunk_pool *pool,
		     struct hd_ws *ws)
{
	if (i->part.n == 0)
		return 0;
	ws->message = hd_chunk_new(pool, i->part.n);
	if (ws->message == NULL)
		return -ENOMEM;
	memcpy(ws->message->data + ws->message->tail, i->part.p, i->part.n);
	ws->message->tail += (uint32_t)i->part.n;
	ws->counted_bytes = ws->message->cap;
	return 0;
}

static int make(struct image *i, struct hd_chunk_pool *pool, struct hd_ws **ret)
{
	const struct hd_ws_options options = {
		.messages = i->messages != 0,
		.limit_bytes = i->ws.in.limit_bytes,
		.timeout_ms = i->ws.timeout_ms,
		.ping_ms = i->ws.ping_ms,
		.subprotocol = i->subprotocol,
	};

	if (!is_whole(i))
		return -EBADMSG;
	*ret = hd_ws_new(&options);
	if (*ret == NULL)
		return -ENOMEM;
	(*ret)->in = i->ws.in;
	(*ret)->heard = i->ws.heard;
	(*ret)->reason = hd_steal(&i->reason);
	return make_part(i, pool, *ret);
}

int hd_ws_unpack(struct hd_snap_in in, struct hd_chunk_pool *pool,
		 struct hd_ws **ret, struct hd_error *err)
{
	struct image i = { .seen = 0 };
	struct hd_snap_item item;
	int r;

	if (*ret != NULL)
		return -EBADMSG;
	while ((r = hd_snap_next(&in, &item)) == 1) {
		r = take_item(&i, &item, err);
		if (r < 0)
			break;
	}
	if (r == 0)
		r = make(&i, pool, ret);
	free(i.subprotocol);
	free(i.reason);
	return r;
}
