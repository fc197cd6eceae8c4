/* SPDX-License-Identifier: MIT */
/* hyper-derp/stream.h - bytes in, bytes out. Everything here runs in the
 * worker that owns the stream. The protocol sees plaintext and never knows
 * whether TLS is ours, the kernel's, OpenSSL's or absent. */
#pragma once
#include <hyper-derp/base.h>
#include <hyper-derp/relay.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hd_ws_message;

enum hd_lane {
	HD_LANE_CONTROL, /* never dropped; a stream that cannot take it is
			    closed */
	HD_LANE_URGENT, /* small and bounded; the oldest goes first when full */
	HD_LANE_BULK, /* bounded by the output limit; the oldest goes first */
	HD_LANE_N
};

/* A protocol spoken on streams. Found by table, never stored in state, so
 * that a reload can replace it under live peers. The stream's worker calls all
 * of it; mod is the module whose route or service brought the stream here. */
struct hd_proto {
	const char *name;
	uint32_t state_size; /* zeroed plain memory per stream; no pointer in
				it may point into the module */
	/* opened - a connection has come that speaks this from its first byte
	 * (service.h): its TLS handshake is done, nothing has been read. May
	 * write, or close. May be NULL. Not called after an upgrade. A
	 * connection that ends before this moment gets no closed() either.
	 * Not for those that were dialled: a hd_dial_fn gets these.
	 * @alpn  what was chosen, valid during the call; NULL: nothing */
	void (*opened)(struct hd_module *mod, struct hd_stream *s, void *state,
		       const char *alpn);
	/* data - plaintext arrived. Use whole frames, return the bytes used;
	 * the rest is kept and offered again with more. Until at least
	 * hd_stream_want() bytes are there it is not called again.
	 * @p  valid during the call, may be written to */
	size_t (*data)(struct hd_module *mod, struct hd_stream *s, void *state,
		       uint8_t *p, size_t n);
	/* message - in place of data(), on routes with
	 * HD_WS_MODE_MESSAGES: a whole message (websocket.h). */
	void (*message)(struct hd_module *mod, struct hd_stream *s, void *state,
			const struct hd_ws_message *message);
	/* timer - the time of hd_stream_timer(which) has come. */
	void (*timer)(struct hd_module *mod, struct hd_stream *s, void *state,
		      unsigned which);
	/* admitted - logged in, now in the key's home worker (relay.h). */
	void (*admitted)(struct hd_module *mod, struct hd_stream *s,
			 void *state, struct hd_peer *peer);
	/* closed - the connection has ended: the last call. The state is
	 * freed after it. */
	void (*closed)(struct hd_module *mod, struct hd_stream *s, void *state,
		       enum hd_close why);
	const struct hd_peer_ops *peer; /* NULL: never logs in */
	/* forward - frame the packet and append it to the stream, which leads
	 * to another relay (link.h). May be NULL. */
	void (*forward)(struct hd_module *mod, struct hd_stream *s,
			const struct hd_packet *packet);
	/* adopted - in place of admitted(), when the connection has come from
	 * the process that ran before (`hdctl upgrade`): state is what that
	 * one had, byte by byte. Pointers in it are to be set anew, the core's
	 * too: peer. Gauges begin at zero: count it. Sends nothing. closed()
	 * may come right behind it: while the other process serves the
	 * connection has changed, or ended, and comes once more or not. NULL:
	 * connections of this protocol are closed by an upgrade. Both
	 * processes must have the same state_version and state_size. */
	void (*adopted)(struct hd_module *mod, struct hd_stream *s, void *state,
			struct hd_peer *peer);
};

/* Output. A frame is appended whole or not at all, and a drop never splits
 * one. It is flushed at the end of the loop turn.
 * hd_stream_reserve - room for a frame of n bytes, 1..HD_FRAME_MAX_BYTES.
 * Returns NULL: dropped and counted, or the stream is closing.
 * hd_stream_commit - the n bytes reserved last are a frame now. Nothing else
 * may be called on the stream between the two. */
#define HD_FRAME_MAX_BYTES (HD_PACKET_MAX_BYTES + 256)
HD_API uint8_t *hd_stream_reserve(struct hd_stream *s, enum hd_lane lane,
				  size_t n);
HD_API void hd_stream_commit(struct hd_stream *s, size_t n);
/* hd_stream_append - both in one. Returns whether it was taken. */
HD_API bool hd_stream_append(struct hd_stream *s, enum hd_lane lane,
			     const void *data, size_t n);

/* hd_stream_want - the frame under way needs n bytes in all. */
HD_API void hd_stream_want(struct hd_stream *s, size_t n);
/* hd_stream_pause - hold input back: data(), or message(), is not called for
 * delay_ms, and the kernel holds back the client. What data() has not used is
 * offered again then. For rate limits, and while an answer of somebody else is
 * due. That the client has gone is not seen meanwhile; login_timeout is.
 * @delay_ms  0: go on, in the worker's next turn, or when peer_rate_limit lets
 *            it */
HD_API void hd_stream_pause(struct hd_stream *s, uint32_t delay_ms);
/* hd_stream_timer - proto->timer(which) once in delay_ms; 0 cancels. */
#define HD_STREAM_TIMERS 4
HD_API void hd_stream_timer(struct hd_stream *s, unsigned which,
			    uint32_t delay_ms);
/* hd_stream_stay - login_timeout does not end it any more: the protocol knows
 * who is there, without hd_relay_login(). */
HD_API void hd_stream_stay(struct hd_stream *s);
/* hd_stream_close - sends what is queued first, within the write timeout.
 * closed() comes later, never from inside this call. Idempotent.
 * @why  the core's, or HD_CLOSE_OWN(): base.h */
HD_API void hd_stream_close(struct hd_stream *s, enum hd_close why);

/* hd_stream_id - a name of it that outlives it, for who comes back later: a
 * post, what a task has done, an answer of hd_fetch(). Never 0.
 * hd_stream_find - the stream of this module in worker w, which is where we
 * are; NULL: it has ended, closes, or has logged in (relay.h). Who has logged
 * in has a key and stays in that key's home worker: hd_peer_find(), or a
 * pointer. Pointers to streams are good until closed() returns. */
HD_API uint64_t hd_stream_id(const struct hd_stream *s);
HD_API struct hd_stream *hd_stream_find(const struct hd_module *mod,
					struct hd_worker *w, uint64_t id);

/* hd_stream_state - the state_size bytes of its protocol. The core's memory; it
 * stays where it is until closed() has returned, also when the stream goes to
 * another worker, and over a reload that keeps it.
 * hd_stream_worker - the worker that owns it, which is where we are.
 * hd_stream_addr - the client's: of who connected, or what a proxy in front
 * says that the configuration trusts (port 0: it did not say). Of a stream that
 * was dialled (dial.h): the server's.
 * hd_stream_proxy - that proxy's; NULL: there is none.
 * hd_stream_is_tls - whether it goes by TLS.
 * hd_stream_is_leaving - the relay drains, the peer has read when it will be
 * closed (drain() of hd_peer_ops): say nothing that need not be said. A client
 * that hears nothing looks for another relay the sooner. */
HD_API void *hd_stream_state(struct hd_stream *s);
HD_API struct hd_worker *hd_stream_worker(const struct hd_stream *s);
HD_API const union hd_addr *hd_stream_addr(const struct hd_stream *s);
HD_API const union hd_addr *hd_stream_proxy(const struct hd_stream *s);
HD_API bool hd_stream_is_tls(const struct hd_stream *s);
HD_API bool hd_stream_is_leaving(const struct hd_stream *s);
/* hd_stream_server_name - the SNI: the client's, or ours where we dialled;
 * NULL: none. */
HD_API const char *hd_stream_server_name(const struct hd_stream *s);

#ifdef __cplusplus
}
#endif
