/* SPDX-License-Identifier: MIT */
/* core/stream/ws.h - WebSocket as a byte stream (RFC 6455), over wslay's frame
 * parser. Context: the stream's worker. */
#pragma once
#include <hyper-derp/stream.h>

#define HD_WS_HEAD_MAX_BYTES 10 /* server frames are not masked */
#define HD_WS_MESSAGE_MAX_BYTES (32 * 1024) /* from clients; larger: 1009 */

struct hd_ws;

/* Returns NULL when out of memory. */
struct hd_ws *hd_ws_new(void);
void hd_ws_free(struct hd_ws **ws);

/* hd_ws_unwrap - take the payload bytes out of what arrived, in place. Answers
 * pings through hd_stream_append_raw(). State (a frame's head or payload under
 * way) is kept in ws.
 * @p  n bytes; on return the first `result` are payload
 * hd_ws_settle - call it when the payload has been used: a peer's Close frame
 * is answered and the stream closed; so it is, with a Close frame of ours
 * (1002, 1003, 1009), after a violation or a message beyond the limit. */
size_t hd_ws_unwrap(struct hd_stream *s, struct hd_ws *ws, uint8_t *p,
		    size_t n);
void hd_ws_settle(struct hd_stream *s, struct hd_ws *ws);

/* hd_ws_head - head of a binary frame that is a whole message.
 * Returns its length, 2..HD_WS_HEAD_MAX_BYTES. */
size_t hd_ws_head(uint8_t head[HD_WS_HEAD_MAX_BYTES], size_t payload_bytes);

/* hd_ws_accept - Sec-WebSocket-Accept for a key (28 characters and NUL).
 * Returns 0; -EINVAL the key is not 16 bytes of base64. */
int hd_ws_accept(const char *key, char ret_accept[static 29]);
