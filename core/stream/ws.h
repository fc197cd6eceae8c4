/* SPDX-License-Identifier: MIT */
/* core/stream/ws.h - WebSocket on a stream (RFC 6455), as bytes or as messages.
 * Context: the stream's worker. */
#pragma once
#include <hyper-derp/websocket.h>
#include "core/base/snap.h"
#include "core/stream/ws_frame.h"

struct hd_chunk;
struct hd_chunk_pool;

/* Of a byte stream, both ways; from clients larger: 1009. */
#define HD_WS_BYTES_MAX_BYTES (32 * 1024)
#define HD_WS_CLOSE_MAX_BYTES (2 + HD_WS_CONTROL_MAX_BYTES)

struct hd_ws_options { /* copied */
	bool messages;
	uint32_t limit_bytes; /* of a message; 0: HD_WS_BYTES_MAX_BYTES */
	uint32_t timeout_ms; /* for the rest of a message that has begun */
	uint32_t ping_ms; /* 0: none */
	const char *subprotocol; /* NULL: none */
};

struct hd_ws {
	struct hd_ws_frames in;
	bool messages;
	bool ended; /* by a Close frame or a violation: no input counts */
	bool said; /* our Close frame has been made */
	bool heard; /* something came since the last ping */
	uint8_t why; /* enum hd_close; once it has ended */
	uint16_t code; /* of our Close frame; 0: by the stream's end */
	uint16_t peer_code; /* HD_WS_CODE_ABNORMAL: none has come */
	uint32_t timeout_ms, ping_ms;
	uint32_t reserved_bytes; /* of the message that is made */
	uint32_t counted_bytes; /* in the worker's sum: memory of message */
	struct hd_chunk *message; /* what has come of one; NULL: nothing */
	char *reason, *peer_reason; /* NULL: none */
	char subprotocol[]; /* "": none */
};

/* hd_ws_new - returns NULL when out of memory. */
struct hd_ws *hd_ws_new(const struct hd_ws_options *options);
void hd_ws_free(struct hd_ws **ws);

/* hd_ws_unwrap - the payload bytes of what arrived, in place. Answers pings.
 * @p  n bytes; on return the first `result` are payload
 * hd_ws_take - the same as messages, given to proto->message(). Returns the
 * bytes used: fewer than n when the stream takes no more.
 * hd_ws_settle - call it when the payload has been used: after a Close frame
 * or a violation the stream closes. */
size_t hd_ws_unwrap(struct hd_stream *s, struct hd_ws *ws, uint8_t *p,
		    size_t n);
size_t hd_ws_take(struct hd_stream *s, struct hd_ws *ws, uint8_t *p, size_t n);
void hd_ws_settle(struct hd_stream *s, struct hd_ws *ws);

/* hd_ws_end - no input counts any more; hd_ws_settle() says why. */
void hd_ws_end(struct hd_ws *ws, unsigned code, enum hd_close why);
/* hd_ws_control - a whole control frame has come. */
void hd_ws_control(struct hd_stream *s, struct hd_ws *ws,
		   const struct hd_ws_event *e);
void hd_ws_ping(struct hd_stream *s, struct hd_ws *ws);

/* hd_ws_goodbye - our Close frame, when all else has been said; once.
 * Returns its bytes; 0: there is nobody to hear it. */
size_t hd_ws_goodbye(const struct hd_stream *s, struct hd_ws *ws,
		     uint8_t frame[HD_WS_CLOSE_MAX_BYTES]);

/* hd_ws_begin - messages begin with the next byte.
 * hd_ws_late, hd_ws_ping_due - HD_DEADLINE_MESSAGE, HD_DEADLINE_PING.
 * hd_ws_drop_part - what has come of a message.
 * hd_ws_leaves, hd_ws_arrives - the stream goes to another worker. */
void hd_ws_begin(struct hd_stream *s);
void hd_ws_late(struct hd_stream *s);
void hd_ws_ping_due(struct hd_stream *s);
void hd_ws_drop_part(struct hd_stream *s);
void hd_ws_leaves(struct hd_stream *s);
void hd_ws_arrives(struct hd_stream *s);

/* hd_ws_stays, hd_ws_pack, hd_ws_unpack - to another process: why it cannot go,
 * in words, or NULL; an item of it; that, read: returns 0; -EBADMSG; -ENOTSUP;
 * -ENOMEM. */
const char *hd_ws_stays(const struct hd_ws *ws);
void hd_ws_pack(const struct hd_ws *ws, struct hd_snap *to);
int hd_ws_unpack(struct hd_snap_in in, struct hd_chunk_pool *pool,
		 struct hd_ws **ret, struct hd_error *err);

/* hd_ws_reason - what our Close frame will say beside its code, unless the
 * module says else by hd_ws_close(): up to 123 bytes of whole characters. The
 * stream may be no WebSocket. */
void hd_ws_reason(struct hd_stream *s, const char *reason);

/* hd_ws_accept - Sec-WebSocket-Accept for a key (28 characters and NUL).
 * Returns 0; -EINVAL the key is not 16 bytes of base64. */
int hd_ws_accept(const char *key, char ret_accept[static 29]);
