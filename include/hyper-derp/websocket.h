/* SPDX-License-Identifier: MIT */
/* hyper-derp/websocket.h - WebSocket (RFC 6455) as messages, for routes with
 * HD_WS_MODE_MESSAGES (http.h). Everything here runs in the worker that owns
 * the stream.
 *
 * The core puts fragments together, checks text as UTF-8, answers pings and
 * speaks the closing handshake. It offers no compression (RFC 7692): that costs
 * up to 300 KiB of memory in each connection, and what a relay passes on is
 * encrypted as a rule. An idle connection owns no buffer; a message that has
 * come in part holds at most twice its bytes, for at most the route's
 * message_timeout_ms. */
#pragma once
#include <hyper-derp/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* hd_ws_kind - what a message is (RFC 6455, 5.6); text is UTF-8. */
enum hd_ws_kind { HD_WS_TEXT = 1, HD_WS_BINARY = 2 };

/* The largest message that a route may allow, and what holds for one that
 * sets nothing. */
#define HD_WS_MESSAGE_MAX_BYTES (1024 * 1024)
#define HD_WS_MESSAGE_DEFAULT_BYTES (64 * 1024)
#define HD_WS_TIMEOUT_DEFAULT_MS 10000

/* hd_ws_message - a whole one, given to proto->message() (stream.h). */
struct hd_ws_message {
	uint8_t *data; /* valid during the call, may be written to; text is
			  UTF-8 and not terminated */
	uint32_t len_bytes; /* 0 too */
	enum hd_ws_kind kind;
};

/* Output, as with hd_stream_reserve(): a message is taken whole or not at all,
 * and dropped whole. Messages of one lane keep their order. On these streams
 * hd_stream_reserve() and hd_stream_append() make a binary message of each
 * frame.
 * hd_ws_reserve - room for a message of exactly n bytes,
 * 0..HD_FRAME_MAX_BYTES; hd_stream_commit(s, n) ends it. Text must be UTF-8:
 * the core does not check what it sends, and a client closes when it is not.
 * Returns NULL: dropped and counted, or the stream is closing.
 * hd_ws_send - both in one; copied. Returns whether it was taken. */
HD_API uint8_t *hd_ws_reserve(struct hd_stream *s, enum hd_lane lane,
			      enum hd_ws_kind kind, size_t n);
HD_API bool hd_ws_send(struct hd_stream *s, enum hd_lane lane,
		       enum hd_ws_kind kind, const void *data, size_t n);

/* hd_ws_subprotocol - the one of the route's that was chosen; "": none, or the
 * stream is no WebSocket. Lives as long as the stream. */
HD_API const char *hd_ws_subprotocol(const struct hd_stream *s);

/* hd_ws_close - hd_stream_close() with a close code of the module's own; what
 * is queued goes first. hd_stream_close() itself says 1000 for HD_CLOSE_DONE,
 * 1001 DRAIN, 1002 PROTOCOL, 1011 ERROR, 1008 for the rest, and for
 * HD_CLOSE_OWN() what the table of reasons has.
 * @why     for the log and the counters
 * @code    1000..1003, 1007..1014, or 3000..4999, which are free for use
 *          (RFC 6455, 7.4.2: 3000..3999 are registered with IANA)
 * @reason  UTF-8, copied up to 123 bytes; may be NULL
 * Returns 0, also when it closes already; -EINVAL: the code may not be sent, or
 * the stream is no WebSocket, and nothing was done. */
HD_API int hd_ws_close(struct hd_stream *s, enum hd_close why, unsigned code,
		       const char *reason);

/* What the peer's Close frame said: in proto->closed().
 * hd_ws_peer_code - 1005: it had no code; 1006: none came (RFC 6455, 7.1.5).
 * hd_ws_peer_reason - UTF-8 as a stranger sent it, "" without one; valid until
 * closed() returns. */
HD_API unsigned hd_ws_peer_code(const struct hd_stream *s);
HD_API const char *hd_ws_peer_reason(const struct hd_stream *s);

#ifdef __cplusplus
}
#endif
