/* SPDX-License-Identifier: MIT */
/* tools/lib/wsc.c - RFC 6455 by wslay over a struct conn. */
#include "tools/lib/wsc.h"

#include <errno.h>
#include <openssl/sha.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <wslay/wslay.h>

#define WS_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455, 1.3 */
#define WS_NONCE_BYTES 16
#define WS_KEY_CHARS sodium_base64_ENCODED_LEN(WS_NONCE_BYTES, B64)
#define WS_ACCEPT_CHARS sodium_base64_ENCODED_LEN(SHA_DIGEST_LENGTH, B64)
#define B64 sodium_base64_VARIANT_ORIGINAL

struct wsc {
	struct conn *conn;
	wslay_event_context_ptr ctx;
	uint8_t *in; /* payload of messages, not yet read */
	size_t in_bytes;
	int error; /* of the connection, negative errno */
	struct hd_error *err;
};

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *buf, size_t n,
		       int flags, void *arg)
{
	struct wsc *ws = arg;
	size_t got = conn_take(ws->conn, buf, n);

	(void)flags;
	if (got > 0)
		return (ssize_t)got;
	wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
	return -1;
}

static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *buf,
		       size_t n, int flags, void *arg)
{
	struct wsc *ws = arg;

	(void)flags;
	ws->error = conn_write(ws->conn, buf, n, ws->err);
	if (ws->error == 0)
		return (ssize_t)n;
	wslay_event_set_error(ctx, WSLAY_ERR_CALLBACK_FAILURE);
	return -1;
}

static int on_mask(wslay_event_context_ptr ctx, uint8_t *buf, size_t n,
		   void *arg)
{
	(void)ctx;
	(void)arg;
	randombytes_buf(buf, n);
	return 0;
}

static void on_message(wslay_event_context_ptr ctx,
		       const struct wslay_event_on_msg_recv_arg *msg, void *arg)
{
	struct wsc *ws = arg;
	uint8_t *in;

	if (msg->opcode != WSLAY_BINARY_FRAME)
		return;
	in = realloc(ws->in, ws->in_bytes + msg->msg_length + 1);
	if (in == NULL) {
		wslay_event_set_error(ctx, WSLAY_ERR_NOMEM);
		return;
	}
	memcpy(in + ws->in_bytes, msg->msg, msg->msg_length);
	ws->in = in;
	ws->in_bytes += msg->msg_length;
}

static int ws_new(struct conn *c, struct wsc **ret_ws, struct hd_error *err)
{
	static const struct wslay_event_callbacks callbacks = {
		.recv_callback = on_recv,
		.send_callback = on_send,
		.genmask_callback = on_mask,
		.on_msg_recv_callback = on_message,
	};
	struct wsc *ws = calloc(1, sizeof(*ws));

	if (ws == NULL ||
	    wslay_event_context_client_init(&ws->ctx, &callbacks, ws) != 0) {
		free(ws);
		return hd_error_set(err, -ENOMEM, "out of memory");
	}
	ws->conn = c;
	*ret_ws = ws;
	return 0;
}

void wsc_free(struct wsc **ws)
{
	if (*ws == NULL)
		return;
	wslay_event_context_free((*ws)->ctx);
	free((*ws)->in);
	free(*ws);
	*ws = NULL;
}

/* What the server must answer to key. */
static void ws_accept(const char *key, char accept[WS_ACCEPT_CHARS])
{
	char text[WS_KEY_CHARS + sizeof(WS_GUID)];
	uint8_t hash[SHA_DIGEST_LENGTH];
	int n = snprintf(text, sizeof(text), "%s%s", key, WS_GUID);

	SHA1((const uint8_t *)text, (size_t)n, hash);
	sodium_bin2base64(accept, WS_ACCEPT_CHARS, hash, sizeof(hash), B64);
}

static int ws_check(const struct httpc_head *head, const char *key,
		    const char *subprotocol, struct hd_error *err)
{
	char want[WS_ACCEPT_CHARS], got[128];

	if (head->status != 101)
		return hd_error_set(err, -EPROTONOSUPPORT,
				    "answer %d instead of 101", head->status);
	ws_accept(key, want);
	if (!httpc_header(head, "Sec-WebSocket-Accept", got, sizeof(got)) ||
	    strcmp(got, want) != 0)
		return hd_error_set(err, -EBADMSG,
				    "Sec-WebSocket-Accept is missing or wrong");
	if (!httpc_header(head, "Sec-WebSocket-Protocol", got, sizeof(got)) ||
	    strcasecmp(got, subprotocol) != 0)
		return hd_error_set(err, -EBADMSG,
				    "the subprotocol %s is not confirmed",
				    subprotocol);
	return 0;
}

int wsc_open(struct conn *c, const char *host, const char *path,
	     const char *subprotocol, struct httpc_head *ret_head,
	     struct wsc **ret_ws, struct hd_error *err)
{
	uint8_t nonce[WS_NONCE_BYTES];
	char key[WS_KEY_CHARS], headers[512];
	int r;

	ret_head->status = 0;
	randombytes_buf(nonce, sizeof(nonce));
	sodium_bin2base64(key, sizeof(key), nonce, sizeof(nonce), B64);
	(void)snprintf(headers, sizeof(headers),
		       "Upgrade: websocket\r\nConnection: Upgrade\r\n"
		       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"
		       "Sec-WebSocket-Protocol: %s\r\n",
		       key, subprotocol);
	r = httpc_get(c, host, path, headers, NULL, 0, err);
	if (r == 0)
		r = httpc_read_head(c, ret_head, err);
	if (r == 0)
		r = ws_check(ret_head, key, subprotocol, err);
	return r < 0 ? r : ws_new(c, ret_ws, err);
}

static int ws_fill(struct wsc *ws, struct hd_error *err)
{
	while (ws->in_bytes == 0) {
		int r = conn_fill(ws->conn, err);

		if (r < 0)
			return r;
		r = wslay_event_recv(ws->ctx);
		ws->err = err;
		if (r == 0 && wslay_event_want_write(ws->ctx))
			r = wslay_event_send(ws->ctx); /* a pong */
		if (r != 0)
			return hd_error_set(err, -EBADMSG,
					    "not a WebSocket frame");
		if (wslay_event_get_close_received(ws->ctx))
			return hd_error_set(
				err, -ECONNRESET,
				"the WebSocket was closed with code %d",
				wslay_event_get_status_code_received(ws->ctx));
	}
	return 0;
}

static int ws_read(void *arg, void *buf, size_t n, struct hd_error *err)
{
	struct wsc *ws = arg;
	uint8_t *p = buf;

	while (n > 0) {
		int r = ws_fill(ws, err);
		size_t got = HD_MIN(n, ws->in_bytes);

		if (r < 0)
			return r;
		memcpy(p, ws->in, got);
		memmove(ws->in, ws->in + got, ws->in_bytes - got);
		ws->in_bytes -= got;
		p += got;
		n -= got;
	}
	return 0;
}

static int ws_write(void *arg, const void *buf, size_t n, struct hd_error *err)
{
	struct wsc *ws = arg;
	const struct wslay_event_msg msg = { WSLAY_BINARY_FRAME, buf, n };

	ws->err = err;
	ws->error = 0;
	if (wslay_event_queue_msg(ws->ctx, &msg) != 0)
		return hd_error_set(err, -ENOMEM, "out of memory");
	if (wslay_event_send(ws->ctx) == 0)
		return 0;
	return ws->error < 0 ? ws->error
			     : hd_error_set(err, -EPROTO, "WebSocket failed");
}

struct link_io wsc_io(struct wsc *ws)
{
	return (struct link_io){ ws_read, ws_write, ws };
}
