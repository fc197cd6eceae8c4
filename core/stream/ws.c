/* SPDX-License-Identifier: MIT */
/* core/stream/ws.c - a WebSocket's life on a stream: control frames, the end;
 * and its payload as a byte stream. ws_message.c has the one with messages,
 * ws_frame.c the frames.
 *
 *   input:   | head | payload | head | pa…
 *   output:  | payload | pa…               (the same memory, to its front)
 *
 * Of a byte stream the borders of messages mean nothing, so a piece of a
 * message is handed on as it comes. */
#include "core/stream/stream.h"
#include "core/base/close.h"
#include "core/base/utf8.h"
#include "core/stream/ws.h"
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

struct hd_ws *hd_ws_new(const struct hd_ws_options *options)
{
	const char *name =
		options->subprotocol != NULL ? options->subprotocol : "";
	size_t n = strlen(name) + 1;
	struct hd_ws *ws = calloc(1, sizeof(*ws) + n);

	if (ws == NULL)
		return NULL;
	memcpy(ws->subprotocol, name, n);
	ws->in.limit_bytes = options->limit_bytes != 0 ? options->limit_bytes
						       : HD_WS_BYTES_MAX_BYTES;
	ws->messages = options->messages;
	ws->timeout_ms = options->timeout_ms;
	ws->ping_ms = options->ping_ms;
	ws->peer_code = HD_WS_CODE_ABNORMAL;
	return ws;
}

void hd_ws_free(struct hd_ws **ws)
{
	if (*ws == NULL)
		return;
	hd_assert((*ws)->message == NULL);
	free((*ws)->reason);
	free((*ws)->peer_reason);
	free(*ws);
	*ws = NULL;
}

/* ---- control frames ---- */

static void send_control(struct hd_stream *s, enum hd_ws_opcode opcode,
			 const uint8_t *payload, size_t n)
{
	uint8_t frame[HD_WS_HEAD_MAX_BYTES + HD_WS_CONTROL_MAX_BYTES];
	size_t head = hd_ws_head(frame, opcode, n);

	if (n > 0)
		memcpy(frame + head, payload, n);
	hd_stream_append_raw(s, frame, head + n);
}

void hd_ws_ping(struct hd_stream *s, struct hd_ws *ws)
{
	ws->heard = false;
	send_control(s, HD_WS_OP_PING, NULL, 0);
}

void hd_ws_end(struct hd_ws *ws, unsigned code, enum hd_close why)
{
	ws->ended = true;
	ws->code = (uint16_t)code;
	ws->why = (uint8_t)why;
}

/* 5.5.1: a code and a reason in UTF-8, or nothing; the answer repeats the code.
 */
static void on_close(struct hd_ws *ws, const uint8_t *p, size_t n)
{
	unsigned code = n >= 2 ? (unsigned)p[0] << 8 | p[1] : HD_WS_CODE_NONE;

	if (n == 1 || (n >= 2 && !hd_ws_code_valid(code))) {
		hd_ws_end(ws, HD_WS_CODE_PROTOCOL, HD_CLOSE_PROTOCOL);
		return;
	}
	if (n > 2 && !hd_utf8_valid(p + 2, n - 2)) {
		hd_ws_end(ws, HD_WS_CODE_NO_UTF8, HD_CLOSE_PROTOCOL);
		return;
	}
	ws->peer_code = (uint16_t)code;
	if (n > 2)
		ws->peer_reason = strndup((const char *)p + 2, n - 2);
	hd_ws_end(ws, code, HD_CLOSE_PEER);
}

void hd_ws_control(struct hd_stream *s, struct hd_ws *ws,
		   const struct hd_ws_event *e)
{
	if (e->opcode == HD_WS_OP_CLOSE)
		on_close(ws, e->data, e->n);
	else if (e->opcode == HD_WS_OP_PING)
		send_control(s, HD_WS_OP_PONG, e->data, e->n);
}

/* ---- as bytes ---- */

size_t hd_ws_unwrap(struct hd_stream *s, struct hd_ws *ws, uint8_t *p, size_t n)
{
	struct hd_ws_event e;
	size_t used = 0, out = 0;

	while (!ws->ended) {
		used += hd_ws_next(&ws->in, p + used, n - used, &e);
		if (e.what == HD_WS_MORE)
			break;
		if (e.what == HD_WS_CONTROL) {
			hd_ws_control(s, ws, &e);
		} else if (e.what == HD_WS_FAULT) {
			hd_ws_end(ws, e.code, HD_CLOSE_PROTOCOL);
		} else if (e.opcode == HD_WS_OP_TEXT) {
			hd_ws_end(ws, HD_WS_CODE_KIND, HD_CLOSE_PROTOCOL);
		} else {
			memmove(p + out, e.data, e.n);
			out += e.n;
		}
	}
	return out;
}

void hd_ws_settle(struct hd_stream *s, struct hd_ws *ws)
{
	if (ws->ended)
		hd_stream_close(s, ws->why);
}

/* ---- the end ---- */

/* What the core's reasons are in a Close frame. */
static const uint16_t codes[HD_CLOSE_N] = {
	[HD_CLOSE_DONE] = HD_WS_CODE_DONE,
	[HD_CLOSE_PROTOCOL] = HD_WS_CODE_PROTOCOL,
	[HD_CLOSE_DENIED] = HD_WS_CODE_POLICY,
	[HD_CLOSE_TIMEOUT] = HD_WS_CODE_POLICY,
	[HD_CLOSE_SLOW] = HD_WS_CODE_POLICY,
	[HD_CLOSE_ERROR] = HD_WS_CODE_ERROR,
	[HD_CLOSE_DRAIN] = HD_WS_CODE_GOING_AWAY,
	[HD_CLOSE_KICKED] = HD_WS_CODE_POLICY,
};

/* What is said: hd_ws_close()'s, else the reason's own, else the core's. */
static unsigned last_words(const struct hd_stream *s, const struct hd_ws *ws,
			   const char **ret_reason)
{
	const struct hd_close_reason *own = hd_close_own(s->mod, s->why);

	*ret_reason = ws->reason;
	if (ws->code != 0)
		return ws->code;
	if (own != NULL)
		*ret_reason = own->ws_reason;
	return own != NULL && own->ws_code != 0
		       ? own->ws_code
		       : codes[s->like];
}

/* RFC 6455, 7.1.5. A peer that has hung up without a Close frame gets none. */
size_t hd_ws_goodbye(const struct hd_stream *s, struct hd_ws *ws,
		     uint8_t frame[HD_WS_CLOSE_MAX_BYTES])
{
	const char *reason;
	unsigned code = last_words(s, ws, &reason);
	size_t text = reason != NULL ? strlen(reason) : 0;

	if (ws->said || code == 0)
		return 0;
	ws->said = true;
	if (code == HD_WS_CODE_NONE)
		return hd_ws_head(frame, HD_WS_OP_CLOSE, 0);
	size_t at = hd_ws_head(frame, HD_WS_OP_CLOSE, 2 + text);

	frame[at++] = (uint8_t)(code >> 8);
	frame[at++] = (uint8_t)code;
	if (text > 0)
		memcpy(frame + at, reason, text);
	return at + text;
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
