/* SPDX-License-Identifier: MIT */
/* core/stream/ws_frame.h - WebSocket's frames (RFC 6455, 5), the server's side:
 * those of a client are taken apart where they stand, heads of ours are made.
 * Context: any; nothing is allocated. */
#pragma once
#include <hyper-derp/base.h>

enum hd_ws_opcode { /* RFC 6455, 11.8 */
	HD_WS_OP_CONTINUATION = 0,
	HD_WS_OP_TEXT = 1,
	HD_WS_OP_BINARY = 2,
	HD_WS_OP_CLOSE = 8,
	HD_WS_OP_PING = 9,
	HD_WS_OP_PONG = 10,
};

enum { /* RFC 6455, 7.4.1 and IANA's registry of close codes */
	HD_WS_CODE_DONE = 1000,
	HD_WS_CODE_GOING_AWAY = 1001,
	HD_WS_CODE_PROTOCOL = 1002,
	HD_WS_CODE_KIND = 1003, /* text where only binary is taken */
	HD_WS_CODE_NONE = 1005, /* a Close frame without one; never sent */
	HD_WS_CODE_ABNORMAL = 1006, /* no Close frame; never sent */
	HD_WS_CODE_NO_UTF8 = 1007,
	HD_WS_CODE_POLICY = 1008,
	HD_WS_CODE_TOO_BIG = 1009,
	HD_WS_CODE_ERROR = 1011,
	HD_WS_CODE_LATER = 1013,
};

#define HD_WS_CONTROL_MAX_BYTES 125 /* 5.5 */
#define HD_WS_HEAD_MAX_BYTES 10 /* of ours, which are not masked */
#define HD_WS_CLIENT_HEAD_MAX_BYTES 14

struct hd_ws_frames { /* zeroed, but for the limit: between two frames */
	uint32_t limit_bytes; /* of a message; larger: 1009 */
	uint8_t opcode; /* of the message under way, else 0 */
	uint8_t head_bytes; /* of the head under way, so far */
	uint8_t control_bytes; /* the same of a control frame's payload */
	bool in_payload; /* the head is whole */
	uint64_t left; /* bytes of the payload that are still to come */
	uint64_t message_bytes; /* of all frames of the message so far */
	uint8_t head[HD_WS_CLIENT_HEAD_MAX_BYTES];
	uint8_t mask[4]; /* turned so that [0] is for the next byte */
	uint8_t control[HD_WS_CONTROL_MAX_BYTES];
};

struct hd_ws_event {
	enum {
		HD_WS_MORE, /* nothing: all input was taken */
		HD_WS_DATA, /* a piece of a message, perhaps an empty one */
		HD_WS_CONTROL, /* a whole control frame: opcode, data */
		HD_WS_FAULT, /* code says what; no input counts any more */
	} what;
	uint8_t opcode; /* of the message or control frame */
	bool last; /* the message ends with this piece */
	uint16_t code;
	uint8_t *data;
	size_t n;
};

/* hd_ws_next - up to the next event of n bytes at p, which it unmasks in place.
 * Returns the bytes taken. */
size_t hd_ws_next(struct hd_ws_frames *f, uint8_t *p, size_t n,
		  struct hd_ws_event *ret_event);

/* hd_ws_is_sound - whether hd_ws_next() may go on with what another process has
 * written down: its counts are within their arrays and fit each other. */
bool hd_ws_is_sound(const struct hd_ws_frames *f);

/* hd_ws_is_control - the frame whose head is there is no message's. */
static inline bool hd_ws_is_control(const struct hd_ws_frames *f)
{
	return f->head[0] & 8;
}

/* hd_ws_under_way - a message has begun and not ended. */
static inline bool hd_ws_under_way(const struct hd_ws_frames *f)
{
	return f->opcode != 0;
}

/* hd_ws_head - head of a frame that is a whole message, or a control frame.
 * Returns its length, 2..HD_WS_HEAD_MAX_BYTES. */
size_t hd_ws_head(uint8_t head[HD_WS_HEAD_MAX_BYTES], enum hd_ws_opcode opcode,
		  size_t payload_bytes);

/* hd_ws_code_valid - may be in a Close frame (RFC 6455, 7.4). */
bool hd_ws_code_valid(unsigned code);
