/* SPDX-License-Identifier: MIT */
/* core/stream/ws_frame.c - WebSocket's frames; see ws_frame.h.
 *
 *             head whole              payload whole
 *   HEAD ------------------> PAYLOAD ---------------> HEAD
 *
 * Written by hand, although wslay is a good library: it reads ahead into a
 * buffer of its own, 4 KiB in each connection, so that nobody can stop at a
 * message's end, and copies each byte twice. t/unit/ws_frame.c and
 * t/fuzz/fuzz_ws.c compare the two. */
#include "core/stream/ws_frame.h"
#include <string.h>

#define FIN 0x80
#define RSV 0x70
#define OPCODE 0x0f
#define MASKED 0x80
#define LENGTH 0x7f
#define LENGTH_16 126
#define LENGTH_64 127

static bool is_control(unsigned opcode)
{
	return opcode & 8;
}

/* Bytes of the length behind the first two of a head. */
static unsigned length_bytes(const uint8_t *head)
{
	unsigned n = head[1] & LENGTH;

	return n == LENGTH_16 ? 2 : n == LENGTH_64 ? 8 : 0;
}

/* What is wrong with the first two bytes. Returns a close code, or 0. */
static unsigned begins_wrong(const struct hd_ws_frames *f)
{
	unsigned opcode = f->head[0] & OPCODE;

	if ((f->head[0] & RSV) != 0 || (f->head[1] & MASKED) == 0)
		return HD_WS_CODE_PROTOCOL;
	if (is_control(opcode))
		return opcode <= HD_WS_OP_PONG && f->head[0] & FIN &&
				       (f->head[1] & LENGTH) <=
					       HD_WS_CONTROL_MAX_BYTES
			       ? 0
			       : HD_WS_CODE_PROTOCOL;
	if (opcode > HD_WS_OP_BINARY ||
	    (opcode == HD_WS_OP_CONTINUATION) != hd_ws_under_way(f))
		return HD_WS_CODE_PROTOCOL;
	return 0;
}

/* 5.2: in as few bytes as possible; the first bit is not set. */
static bool length_wrong(uint64_t n, unsigned bytes)
{
	return (bytes == 2 && n < LENGTH_16) ||
	       (bytes == 8 && (n <= 0xffff || n >> 63 != 0));
}

/* The head is whole. Returns a close code, or 0. */
static unsigned begin_payload(struct hd_ws_frames *f)
{
	unsigned bytes = length_bytes(f->head);
	uint64_t n = bytes == 0 ? f->head[1] & LENGTH : 0;

	for (unsigned i = 0; i < bytes; i++)
		n = n << 8 | f->head[2 + i];
	if (length_wrong(n, bytes))
		return HD_WS_CODE_PROTOCOL;
	memcpy(f->mask, f->head + 2 + bytes, sizeof(f->mask));
	f->left = n;
	f->in_payload = true;
	if (is_control(f->head[0] & OPCODE))
		return 0;
	if (n > f->limit_bytes - f->message_bytes)
		return HD_WS_CODE_TOO_BIG;
	f->message_bytes += n;
	if (!hd_ws_under_way(f))
		f->opcode = f->head[0] & OPCODE;
	return 0;
}

static unsigned head_needs(const struct hd_ws_frames *f)
{
	return f->head_bytes < 2 ? 2 : 2 + length_bytes(f->head) + 4;
}

/* In a control frame's payload, or in a message's. */
static bool is_payload_sound(const struct hd_ws_frames *f)
{
	unsigned opcode = f->head[0] & OPCODE;

	if (f->head_bytes != head_needs(f))
		return false;
	if (is_control(opcode))
		return opcode <= HD_WS_OP_PONG &&
		       f->left <= HD_WS_CONTROL_MAX_BYTES &&
		       f->left + f->control_bytes <= HD_WS_CONTROL_MAX_BYTES;
	return f->control_bytes == 0 && hd_ws_under_way(f) &&
	       f->left <= f->message_bytes;
}

bool hd_ws_is_sound(const struct hd_ws_frames *f)
{
	if (f->opcode > HD_WS_OP_BINARY || f->message_bytes > f->limit_bytes)
		return false;
	if (f->in_payload)
		return is_payload_sound(f);
	return f->control_bytes == 0 && f->head_bytes < head_needs(f) &&
	       (f->head_bytes < 2 || begins_wrong(f) == 0);
}

/* Returns the bytes taken; all of them, unless the head is whole or wrong. */
static size_t take_head(struct hd_ws_frames *f, const uint8_t *p, size_t n,
			unsigned *ret_code)
{
	size_t used = 0;

	*ret_code = 0;
	while (*ret_code == 0 && !f->in_payload && used < n) {
		f->head[f->head_bytes++] = p[used++];
		if (f->head_bytes == 2)
			*ret_code = begins_wrong(f);
		else if (f->head_bytes == head_needs(f))
			*ret_code = begin_payload(f);
	}
	return used;
}

/* 5.3. A word at a time; the mask is turned for what follows. */
static void unmask(struct hd_ws_frames *f, uint8_t *p, size_t n)
{
	uint8_t key[8], turned[4];
	uint64_t word, key_word;
	size_t i = 0;

	memcpy(key, f->mask, 4);
	memcpy(key + 4, f->mask, 4);
	memcpy(&key_word, key, 8);
	for (; n - i >= 8; i += 8) {
		memcpy(&word, p + i, 8);
		word ^= key_word;
		memcpy(p + i, &word, 8);
	}
	for (; i < n; i++)
		p[i] ^= key[i & 3];
	for (i = 0; i < 4; i++)
		turned[i] = f->mask[(n + i) & 3];
	memcpy(f->mask, turned, 4);
}

static void end_frame(struct hd_ws_frames *f)
{
	f->in_payload = false;
	f->head_bytes = 0;
}

static void take_control(struct hd_ws_frames *f, const uint8_t *p, size_t n,
			 struct hd_ws_event *e)
{
	memcpy(f->control + f->control_bytes, p, n);
	f->control_bytes += (uint8_t)n;
	if (f->left > 0)
		return;
	*e = (struct hd_ws_event){ .what = HD_WS_CONTROL,
				   .opcode = f->head[0] & OPCODE,
				   .data = f->control,
				   .n = f->control_bytes };
	f->control_bytes = 0;
	end_frame(f);
}

static void take_data(struct hd_ws_frames *f, uint8_t *p, size_t n,
		      struct hd_ws_event *e)
{
	*e = (struct hd_ws_event){ .what = HD_WS_DATA,
				   .opcode = f->opcode,
				   .last = f->left == 0 && f->head[0] & FIN,
				   .data = p,
				   .n = n };
	if (f->left > 0)
		return;
	end_frame(f);
	if (!e->last)
		return;
	f->opcode = 0;
	f->message_bytes = 0;
}

size_t hd_ws_next(struct hd_ws_frames *f, uint8_t *p, size_t n,
		  struct hd_ws_event *ret_event)
{
	unsigned code;
	size_t used = take_head(f, p, n, &code);
	size_t payload = HD_MIN(n - used, f->left);

	*ret_event = (struct hd_ws_event){ .what = HD_WS_MORE };
	if (code != 0)
		*ret_event = (struct hd_ws_event){ .what = HD_WS_FAULT,
						   .code = (uint16_t)code };
	if (code != 0 || !f->in_payload || (payload == 0 && f->left > 0))
		return used;
	unmask(f, p + used, payload);
	f->left -= payload;
	if (is_control(f->head[0] & OPCODE))
		take_control(f, p + used, payload, ret_event);
	else
		take_data(f, p + used, payload, ret_event);
	return used + payload;
}

size_t hd_ws_head(uint8_t head[HD_WS_HEAD_MAX_BYTES], enum hd_ws_opcode opcode,
		  size_t payload_bytes)
{
	unsigned len_bytes = payload_bytes < LENGTH_16 ? 0
			     : payload_bytes <= 0xffff ? 2
						       : 8;

	head[0] = (uint8_t)(FIN | opcode);
	head[1] = len_bytes == 0   ? (uint8_t)payload_bytes
		  : len_bytes == 2 ? LENGTH_16
				   : LENGTH_64;
	for (unsigned i = 0; i < len_bytes; i++)
		head[2 + i] = (uint8_t)((uint64_t)payload_bytes >>
					8 * (len_bytes - 1 - i));
	return 2 + len_bytes;
}

bool hd_ws_code_valid(unsigned code)
{
	return (code >= 1000 && code <= 1014 && code != 1004 &&
		code != HD_WS_CODE_NONE && code != HD_WS_CODE_ABNORMAL) ||
	       (code >= 3000 && code <= 4999);
}
