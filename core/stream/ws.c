/* SPDX-License-Identifier: MIT */
/* core/stream/ws.c - WebSocket, the server's side, as a byte stream (RFC 6455).
 *
 * wslay parses and unmasks; what it hands out is at most as long as what it
 * has taken in, so payload goes back into the same memory, to its front.
 *
 *   input:   | head | payload | head | pa…     (wslay reads on from here)
 *   output:  | payload | pa…
 *
 * Messages are a byte stream: their borders mean nothing, so a fragment is
 * handed on as it comes; only control frames are collected. */
#include "core/stream/stream.h"
#include "core/stream/ws.h"
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#define WS_CONTROL_MAX_BYTES 125
#define WS_FIN 0x80
#define NO_CODE 0 /* a Close frame without a status code */

struct hd_ws {
	struct wslay_frame_context *frames;
	const uint8_t *in; /* what wslay reads from, during hd_ws_unwrap() */
	size_t in_bytes;
	uint64_t frame_bytes; /* of the frame under way, so far */
	uint32_t message_bytes; /* of the message under way, whole frames */
	bool fragmented; /* a message is under way */
	bool ended; /* by a Close frame or a violation */
	uint16_t code; /* to say so, or NO_CODE */
	enum hd_close why;
	uint8_t control_bytes; /* of the control frame under way */
	uint8_t control[WS_CONTROL_MAX_BYTES];
};

static ssize_t on_recv(uint8_t *buf, size_t len, int flags, void *arg)
{
	struct hd_ws *ws = arg;
	size_t n = HD_MIN(len, ws->in_bytes);

	(void)flags;
	if (n == 0)
		return -1; /* wslay: want more */
	memcpy(buf, ws->in, n);
	ws->in += n;
	ws->in_bytes -= n;
	return (ssize_t)n;
}

struct hd_ws *hd_ws_new(void)
{
	static const struct wslay_frame_callbacks callbacks = {
		.recv_callback = on_recv,
	};
	struct hd_ws *ws = calloc(1, sizeof(*ws));

	if (ws == NULL ||
	    wslay_frame_context_init(&ws->frames, &callbacks, ws) == 0)
		return ws;
	free(ws);
	return NULL;
}

void hd_ws_free(struct hd_ws **ws)
{
	if (*ws == NULL)
		return;
	wslay_frame_context_free((*ws)->frames);
	free(*ws);
	*ws = NULL;
}

/* n <= WS_CONTROL_MAX_BYTES: the short head does. */
static void send_control(struct hd_stream *s, enum wslay_opcode opcode,
			 const uint8_t *payload, size_t n)
{
	uint8_t frame[2 + WS_CONTROL_MAX_BYTES];

	frame[0] = (uint8_t)(WS_FIN | opcode);
	frame[1] = (uint8_t)n;
	memcpy(frame + 2, payload, n);
	hd_stream_append_raw(s, frame, 2 + n);
}

/* No input counts any more; hd_ws_settle() says so to the peer. */
static void end_with(struct hd_ws *ws, unsigned code, enum hd_close why)
{
	ws->ended = true;
	ws->code = (uint16_t)code;
	ws->why = why;
}

/* RFC 6455, 7.4: codes that may be on the wire. */
static bool close_code_is_valid(unsigned code)
{
	return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 &&
		code != 1006) ||
	       (code >= 3000 && code <= 4999);
}

/* RFC 6455, 5.5.1: the answer usually repeats the status code. */
static void on_close(struct hd_stream *s, struct hd_ws *ws)
{
	unsigned code = (unsigned)ws->control[0] << 8 | ws->control[1];

	(void)s;
	if (ws->control_bytes == 0)
		end_with(ws, NO_CODE, HD_CLOSE_PEER);
	else if (ws->control_bytes == 1 || !close_code_is_valid(code))
		end_with(ws, WSLAY_CODE_PROTOCOL_ERROR, HD_CLOSE_PROTOCOL);
	else
		end_with(ws, code, HD_CLOSE_PEER);
}

static void on_ping(struct hd_stream *s, struct hd_ws *ws)
{
	send_control(s, WSLAY_PONG, ws->control, ws->control_bytes);
}

static void on_pong(struct hd_stream *s, struct hd_ws *ws)
{
	(void)s;
	(void)ws;
}

static void (*const on_control[16])(struct hd_stream *, struct hd_ws *) = {
	[WSLAY_CONNECTION_CLOSE] = on_close,
	[WSLAY_PING] = on_ping,
	[WSLAY_PONG] = on_pong,
};

/* A piece of a control frame; wslay has refused long and fragmented ones. */
static void take_control(struct hd_stream *s, struct hd_ws *ws,
			 const struct wslay_frame_iocb *frame)
{
	memcpy(ws->control + ws->control_bytes, frame->data,
	       frame->data_length);
	ws->control_bytes += (uint8_t)frame->data_length;
	if (ws->control_bytes < frame->payload_length)
		return;
	on_control[frame->opcode](s, ws);
	ws->control_bytes = 0;
}

/* What is wrong with a frame's head. Returns a status code, or 0. */
static unsigned fault(const struct hd_ws *ws,
		      const struct wslay_frame_iocb *frame)
{
	bool first = ws->frame_bytes == 0;

	if (!frame->mask || frame->rsv != WSLAY_RSV_NONE)
		return WSLAY_CODE_PROTOCOL_ERROR;
	if (wslay_is_ctrl_frame(frame->opcode))
		return on_control[frame->opcode] != NULL
			       ? 0
			       : WSLAY_CODE_PROTOCOL_ERROR;
	if (frame->opcode == WSLAY_TEXT_FRAME)
		return WSLAY_CODE_UNSUPPORTED_DATA;
	if (frame->opcode > WSLAY_BINARY_FRAME ||
	    (first &&
	     (frame->opcode == WSLAY_CONTINUATION_FRAME) != ws->fragmented))
		return WSLAY_CODE_PROTOCOL_ERROR;
	if (frame->payload_length > HD_WS_MESSAGE_MAX_BYTES - ws->message_bytes)
		return WSLAY_CODE_MESSAGE_TOO_BIG;
	return 0;
}

/* A piece of a data frame: only its length matters. */
static void take_data(struct hd_ws *ws, const struct wslay_frame_iocb *frame)
{
	ws->frame_bytes += frame->data_length;
	if (ws->frame_bytes < frame->payload_length)
		return;
	ws->message_bytes =
		frame->fin ? 0 : ws->message_bytes + (uint32_t)ws->frame_bytes;
	ws->fragmented = !frame->fin;
	ws->frame_bytes = 0;
}

size_t hd_ws_unwrap(struct hd_stream *s, struct hd_ws *ws, uint8_t *p, size_t n)
{
	struct wslay_frame_iocb frame;
	uint8_t *out = p;

	ws->in = p;
	ws->in_bytes = n;
	while (!ws->ended) {
		ssize_t r = wslay_frame_recv(ws->frames, &frame);
		unsigned code = r == WSLAY_ERR_WANT_READ ? 0
				: r < 0 ? WSLAY_CODE_PROTOCOL_ERROR
					: fault(ws, &frame);

		if (code != 0) {
			end_with(ws, code, HD_CLOSE_PROTOCOL);
		} else if (r < 0) {
			break;
		} else if (wslay_is_ctrl_frame(frame.opcode)) {
			take_control(s, ws, &frame);
		} else {
			memcpy(out, frame.data, frame.data_length);
			out += frame.data_length;
			take_data(ws, &frame);
		}
	}
	return (size_t)(out - p);
}

void hd_ws_settle(struct hd_stream *s, struct hd_ws *ws)
{
	const uint8_t payload[2] = { (uint8_t)(ws->code >> 8),
				     (uint8_t)ws->code };

	if (!ws->ended)
		return;
	send_control(s, WSLAY_CONNECTION_CLOSE, payload,
		     ws->code == NO_CODE ? 0 : sizeof(payload));
	hd_stream_close(s, ws->why);
}

/* RFC 6455, 5.2. */
size_t hd_ws_head(uint8_t head[HD_WS_HEAD_MAX_BYTES], size_t payload_bytes)
{
	unsigned len_bytes = payload_bytes < 126       ? 0
			     : payload_bytes <= 0xffff ? 2
						       : 8;

	head[0] = WS_FIN | WSLAY_BINARY_FRAME;
	head[1] = len_bytes == 0   ? (uint8_t)payload_bytes
		  : len_bytes == 2 ? 126
				   : 127;
	for (unsigned i = 0; i < len_bytes; i++)
		head[2 + i] = (uint8_t)((uint64_t)payload_bytes >>
					8 * (len_bytes - 1 - i));
	return 2 + len_bytes;
}

/* RFC 6455, 4.2.2: a fixed GUID behind the key, SHA-1, base64. */
int hd_ws_accept(const char *key, char ret_accept[static 29])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	unsigned char nonce[18], digest[EVP_MAX_MD_SIZE];
	char text[24 + sizeof(guid)];
	unsigned n;

	/* 16 bytes are 22 digits and two of padding: 18 decoded */
	if (strlen(key) != 24 || strcmp(key + 22, "==") != 0 ||
	    strchr(key, '=') != key + 22 ||
	    EVP_DecodeBlock(nonce, (const unsigned char *)key, 24) != 18)
		return -EINVAL;
	memcpy(text, key, 24);
	memcpy(text + 24, guid, sizeof(guid));
	if (EVP_Digest(text, sizeof(text) - 1, digest, &n, EVP_sha1(), NULL) !=
	    1)
		return -EINVAL;
	EVP_EncodeBlock((unsigned char *)ret_accept, digest, 20);
	return 0;
}
