/* SPDX-License-Identifier: MIT */
/* core/stream/stream.h - the inside of a stream. Context: the stream's worker.
 *
 * Life:  accepted -> (TLS handshake) -> http -> protocol -> admitted -> closed
 * or:    dialled -> (TLS handshake) -> protocol -> closed
 * Files: stream.c life, streams.c those of a worker, stream_deadline.c time,
 * stream_rx.c input, stream_tx.c output, stream_lane.c what may wait,
 * stream_path.c what the way is like, stream_seal.c bytes for the wire. */
#pragma once
#include <hyper-derp/module.h>
#include <hyper-derp/stream.h>
#include "core/base/chunk.h"
#include "core/base/heap.h"
#include "core/loop/stats.h"

struct hd_listener;
struct hd_path;
struct hd_proxied;
struct hd_stream_head;
struct hd_throttle;
struct hd_tls;
struct hd_visitor;
struct hd_ws;

#define HD_STREAM_MAGIC 0x4844534du

enum hd_deadline { /* module timers come first: HD_STREAM_TIMERS of them */
	HD_DEADLINE_LOGIN = HD_STREAM_TIMERS,
	HD_DEADLINE_WRITE, /* no byte left for write_timeout */
	HD_DEADLINE_PAUSE, /* reading resumes */
	HD_DEADLINE_MESSAGE, /* of WebSocket: the rest of it must be here */
	HD_DEADLINE_PING,
	HD_DEADLINE_CLOSE, /* closing takes no longer than this */
	HD_DEADLINE_DRAIN, /* its turn to be closed */
	HD_DEADLINES
};

enum hd_phase { /* only forward; the picture is in core/stream/stream.c */
		HD_PHASE_OPEN,
		HD_PHASE_CLOSING, /* takes no more; what is queued goes out */
		HD_PHASE_ENDING, /* the last of it is sealed */
		HD_PHASE_SHUT, /* our side is shut down; the peer's end is
				  awaited */
		HD_PHASE_ABORTED, /* the socket is of no use any more */
		HD_PHASE_FREED, /* but its lists have not let go of it */
};

enum hd_output { /* the picture is in core/stream/stream_tx.c */
		 HD_OUTPUT_IDLE,
		 HD_OUTPUT_SENDING, /* a send is under way */
		 HD_OUTPUT_BLOCKED, /* the kernel takes no more until it says so
				     */
};

/* Who a stream works for, besides its protocol: a key that has logged in
 * (core/relay/peer.h), an HTTP body under way (core/http/http_answer.c), who
 * dials it (core/stream/dial.c), or a pipe (core/stream/splice.c); one at a
 * time. Stands in what the room above
 * keeps of it. */
struct hd_stream_user {
	const struct hd_stream_user_ops *ops;
	const struct hd_key *key; /* NULL: nobody has logged in */
	const char *key_text;
	const char *name, *tenant; /* for the closing line; NULL: none */
	uint32_t patience_ms; /* in place of write_timeout; 0: not */
};

struct hd_stream_user_ops { /* the stream's worker; all but ended may be NULL */
	/* drained - while s->user_waits, at the end of a turn: what is queued
	 * has been sent, or a send is under way, or the kernel takes
	 * no more. The stream may be in another
	 * worker after it. */
	void (*drained)(struct hd_stream *s);
	/* hung_up - nothing is read, and the other end has gone. */
	void (*hung_up)(struct hd_stream *s);
	/* eof - the other end has said all; NULL: the stream closes. May come
	 * several times. */
	void (*eof)(struct hd_stream *s);
	/* late - login_timeout is over. NULL: the stream closes. */
	void (*late)(struct hd_stream *s);
	/* opened - it was dialled, and bytes can be sent now.
	 * @alpn  NULL: nothing was chosen */
	void (*opened)(struct hd_stream *s, const char *alpn);
	/* closing - the stream closes; may come several times. */
	void (*closing)(struct hd_stream *s);
	/* ended - the last call: frees the user. */
	void (*ended)(struct hd_stream *s);
};

struct hd_stream {
	uint32_t magic;
	uint32_t slot, gen; /* in the worker's table; gen checks completions */
	int fd;
	struct hd_worker *worker;
	const struct hd_listener *listener;
	uint8_t phase; /* enum hd_phase */
	uint8_t output; /* enum hd_output */
	uint8_t why; /* enum hd_close, also of mod's own; once it closes */
	uint8_t like; /* the core's that it is a kind of: stays that when
		       * another table comes with mod's new code */
	uint8_t fds; /* enum hd_fds: whose descriptor it is */
	/* Each may go with any phase, and with any other. */
	bool handshaking : 1; /* TLS is not up; also if it closes before */
	bool readable : 1; /* the kernel may have more */
	bool rx_eof : 1; /* the peer's end has been read */
	bool rx_hup : 1; /* it is on its way: read up to it */
	bool rx_held : 1; /* the user wants nothing read */
	bool rx_paused : 1; /* nothing is read until HD_DEADLINE_PAUSE, or
			     * until it has its turn: throttle.c */
	bool proxy_due : 1; /* first comes a PROXY header: proxied.c */
	bool hello_due : 1; /* a module may want its TLS: hello.c */
	bool user_waits : 1; /* for drained() */
	bool ready : 1; /* in a list of the worker: to be read */
	bool dirty : 1; /* in its list of streams to flush */
	bool unopened : 1; /* its module has not heard of it yet */
	bool trusted : 1; /* another relay: no limits, patience */
	struct hd_module *mod; /* owner of proto; NULL: the core's */
	const struct hd_proto *proto;
	struct hd_account *account; /* of mod, in this worker */
	void *state;
	struct hd_tls *tls;    /* NULL: plain */
	struct hd_ws *ws;      /* NULL: no WebSocket */
	struct hd_stream_user *user; /* NULL: nobody */
	struct hd_stream_head *head; /* until it has logged in; NULL: none */
	/* input */
	struct hd_chunk *kept; /* plaintext that was not used yet */
	uint32_t want;
	uint32_t ready_at; /* since when it is ready, beside others */
	uint64_t feeds; /* rings that its last packets have gone to: w->xfed;
			 * all, while that is not known */
	uint8_t kernel_tries; /* TLS goes to the kernel: offers left */
	/* output */
	uint8_t reserved_lane;
	uint8_t waits; /* for a ring, in the list of those: 1 + its bit */
	uint32_t send_bytes; /* bytes of the send under way */
	uint32_t shared_bytes; /* its share of the worker's */
	int unacked;    /* SIOCOUTQ when it was blocked */
	uint32_t ahead; /* 1 + its number where it may have gone ahead to
			 * another process: core/daemon/upgrade_ahead.c */
	struct hd_chunk *reserved;
	struct hd_path *path; /* NULL: it has taken all so far */
	struct hd_queue lane[HD_LANE_N];
	struct hd_queue flight; /* what the kernel is to take next, sealed */
	/* time */
	struct hd_heap_node timer; /* at the earliest deadline or before it */
	uint64_t deadline_ms[HD_DEADLINES]; /* 0: none */
	struct hd_throttle *throttle; /* limits: limit.h; NULL: none */
	/* the closing line */
	uint64_t since_ms, since_ns, bytes_in, bytes_out;
	uint64_t queued_ns; /* a packet is timed since then; 0: none */
	uint32_t drops[HD_DROP_N];
	union hd_addr addr; /* the client's */
	struct hd_visitor *visitor; /* of that address; NULL: not counted */
	struct hd_proxied *proxied; /* NULL: which is the socket's other end */
	struct hd_stream *dirty_next, *ready_next, *prev, *next;
};

static inline bool hd_stream_is_open(const struct hd_stream *s)
{
	return s->phase == HD_PHASE_OPEN;
}

/* hd_stream_key - who has logged in on it; NULL: nobody. */
static inline const struct hd_key *hd_stream_key(const struct hd_stream *s)
{
	return s->user != NULL ? s->user->key : NULL;
}

/* hd_stream_key_text - the same for the log; "-": nobody. */
static inline const char *hd_stream_key_text(const struct hd_stream *s)
{
	return hd_stream_key(s) != NULL ? s->user->key_text : "-";
}

/* hd_stream_set_user - from now on nothing is read, and drained() is called,
 * until the user says otherwise. NULL: it has gone. */
void hd_stream_set_user(struct hd_stream *s, struct hd_stream_user *user);
/* hd_stream_switch - another protocol takes over, from data() of the old one,
 * which returns at once with the bytes it used and no longer touches its
 * state. Returns the new zeroed state; NULL: no memory, the stream closes. */
void *hd_stream_switch(struct hd_stream *s, struct hd_module *mod,
		       const struct hd_proto *proto);
/* hd_stream_use_ws - from now on bytes go through WebSocket. Takes ws. */
void hd_stream_use_ws(struct hd_stream *s, struct hd_ws **ws);
/* hd_stream_append_raw - control lane, below WebSocket framing.
 * hd_stream_reserve_raw - the same as hd_stream_reserve(), in any lane. */
bool hd_stream_append_raw(struct hd_stream *s, const void *data, size_t n);
uint8_t *hd_stream_reserve_raw(struct hd_stream *s, enum hd_lane lane,
			       size_t n);
/* hd_stream_enter, hd_stream_leave - around a call of a route of a module. */
struct hd_account *hd_stream_enter(struct hd_stream *s,
				   const struct hd_module *mod);
void hd_stream_leave(struct hd_stream *s, struct hd_account *before);
/* hd_stream_listener_name - NULL: an unnamed listener. hd_stream_routes - as
 * hd_listener_routes(). hd_stream_only - enum hd_pages; 0: all. */
const char *hd_stream_listener_name(const struct hd_stream *s);
const char *hd_stream_routes(const struct hd_stream *s);
unsigned hd_stream_only(const struct hd_stream *s);
