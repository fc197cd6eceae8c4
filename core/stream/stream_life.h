/* SPDX-License-Identifier: MIT */
/* core/stream/stream_life.h - what the worker and users do with streams.
 * Context: the stream's worker. */
#pragma once
#include "core/base/descriptors.h"
#include "core/loop/worker.h"
#include "core/stream/stream.h"
#include "core/stream/stream_worker.h"

struct hd_tls_env;

/* hd_stream_accept - takes fd and its place in core/base/descriptors.h, also on
 * failure. */
void hd_stream_accept(struct hd_worker *w, const struct hd_listener *listener,
		      int fd, const union hd_addr *from);
/* hd_stream_dialled - on its way to an address; its module has not heard of it.
 * Takes fd and its place, also on failure. Returns NULL: out of memory.
 * @fds  HD_FDS_DIALLED or HD_FDS_ONWARD: whose place it is */
struct hd_stream *hd_stream_dialled(struct hd_worker *w, int fd,
				    const union hd_addr *to, enum hd_fds fds,
				    struct hd_module *mod,
				    const struct hd_proto *proto);
/* hd_stream_await_handshake - s->tls is there, and its first step is due. */
void hd_stream_await_handshake(struct hd_stream *s);
/* hd_stream_begin - whose it is is known: TLS begins, or what it speaks. */
void hd_stream_begin(struct hd_stream *s);
/* hd_stream_begin_tls - the relay's own. */
void hd_stream_begin_tls(struct hd_stream *s);
void hd_stream_on_ready(struct hd_stream *s, int32_t bits, bool disarmed);
void hd_stream_on_sent(struct hd_stream *s, int32_t res);
void hd_stream_on_timer(struct hd_stream *s);

/* hd_stream_takes_input - the protocol may be given more now. */
static inline bool hd_stream_takes_input(const struct hd_stream *s)
{
	return hd_stream_is_open(s) && !s->rx_held && !s->rx_paused;
}

/* hd_stream_rx_pause - nothing is read for so long. hd_stream_pause_passed -
 * that is over. */
void hd_stream_rx_pause(struct hd_stream *s, uint64_t delay_ms);
void hd_stream_pause_passed(struct hd_stream *s);
/* hd_stream_read - one read, given to the protocol. */
void hd_stream_read(struct hd_stream *s);
/* hd_stream_peek - what has come, at most `most` bytes, into the worker's
 * buffer; it stays in the kernel's, too. Returns 0: nothing yet, or the stream
 * closes.
 */
size_t hd_stream_peek(struct hd_stream *s, size_t most);
/* hd_stream_handshake - one step of TLS. */
void hd_stream_handshake(struct hd_stream *s);
/* hd_stream_flush - send, tell the user, close: what is due at the end of a
 * turn. May free the stream. */
void hd_stream_flush(struct hd_stream *s);
/* hd_lane_room - make room for n bytes, at the cost of the oldest. Returns
 * false: there can be none, the stream closes.
 * hd_lane_changed - bytes came or went. hd_lane_moves - the stream leaves its
 * worker. */
bool hd_lane_make_room(struct hd_stream *s, enum hd_lane lane, size_t n);
void hd_lane_recount(struct hd_stream *s);
void hd_lane_moves(struct hd_stream *s);

/* What a bulk lane may have without asking: derper's queue, 32 packets, has 45
 * kB of the usual ones. Less than the smallest output_limit. */
#define HD_LANE_OWN_BYTES (64 * 1024)

/* For each packet: below that there is nothing to count. */
static inline bool hd_lane_room(struct hd_stream *s, enum hd_lane lane,
				size_t n)
{
	return (lane == HD_LANE_BULK &&
		s->lane[HD_LANE_BULK].bytes + n <= HD_LANE_OWN_BYTES) ||
	       hd_lane_make_room(s, lane, n);
}

static inline void hd_lane_changed(struct hd_stream *s)
{
	if (s->lane[HD_LANE_BULK].bytes > HD_LANE_OWN_BYTES ||
	    s->shared_bytes != 0)
		hd_lane_recount(s);
}

/* hd_stream_look - the kernel takes less of its output than there is: what the
 * way to the other end is like, a few times a second. May change what sends on
 * the socket, and how much may wait. */
void hd_stream_look(struct hd_stream *s);

/* hd_stream_seal - the lanes go to the flight; of bulk no more than a part at
 * a time, unless the stream closes. hd_stream_offer_kernel - let the kernel
 * make the records from here on, if it may now. */
void hd_stream_seal(struct hd_stream *s);
void hd_stream_offer_kernel(struct hd_stream *s);
/* hd_stream_say_end - the end of TLS, behind what is sealed. Where the kernel
 * makes the records it is hd_stream_kernel_goodbye(), when all has left; that
 * returns false: later. */
void hd_stream_say_end(struct hd_stream *s);
bool hd_stream_kernel_goodbye(struct hd_stream *s);
/* hd_stream_time - how long the packet that is appended next stays queued, for
 * one in so many. */
#define HD_TIMED_PACKETS 64
void hd_stream_time(struct hd_stream *s);
/* hd_stream_logged_in - hd_stream_export() ends: its secret is wiped, and so is
 * what it said before (stream_head.h). */
void hd_stream_logged_in(struct hd_stream *s);
/* hd_stream_resume - reading goes on: what was kept is offered first. */
void hd_stream_resume(struct hd_stream *s);
/* hd_stream_abort - close without sending what is queued. */
void hd_stream_abort(struct hd_stream *s, enum hd_close why);
/* hd_stream_set_proto - who speaks on it from now on; the state stays. */
void hd_stream_set_proto(struct hd_stream *s, struct hd_module *mod,
			 const struct hd_proto *proto);
/* hd_stream_end - the last thing: closes the socket, frees everything.
 * hd_stream_closed - a part of that: its protocol's closed(). */
void hd_stream_end(struct hd_stream *s);
void hd_stream_closed(struct hd_stream *s, enum hd_close why);

/* hd_stream_expect_sent - something goes on after the send under way: the
 * worker does not sleep before it has looked once more. */
void hd_stream_expect_sent(struct hd_stream *s);
void hd_stream_mark_dirty(struct hd_stream *s);
void hd_stream_mark_ready(struct hd_stream *s);
void hd_stream_deadline(struct hd_stream *s, enum hd_deadline which,
			uint64_t delay_ms); /* 0 cancels */
/* hd_stream_await_progress - output is blocked: bytes must leave within the
 * write timeout. hd_stream_progressed - whether some have since. */
void hd_stream_await_progress(struct hd_stream *s);
bool hd_stream_progressed(const struct hd_stream *s);
/* hd_stream_rearm - after deadlines have passed: the timer for the next. */
void hd_stream_rearm(struct hd_stream *s);
/* hd_stream_dropped - count packets of this stream's output as dropped. */
void hd_stream_dropped(struct hd_stream *s, enum hd_drop why, bool urgent,
		       unsigned n);
void hd_stream_clear_output(struct hd_stream *s, enum hd_drop why);

/* hd_stream_detach - it leaves this worker: nothing here knows it any more.
 * hd_stream_unlist - the same, but the kernel still watches its descriptor.
 * hd_stream_attach - it arrives in w. Returns 0; -errno. */
void hd_stream_detach(struct hd_stream *s);
void hd_stream_unlist(struct hd_stream *s);
int hd_stream_attach(struct hd_worker *w, struct hd_stream *s);

/* hd_stream_tls_env - the worker's things that TLS may use during a call. */
struct hd_tls_env hd_stream_tls_env(struct hd_stream *s);

/* The worker's lists: the first stream, or NULL. */
struct hd_stream *hd_streams_pop_dirty(struct hd_worker *w);
struct hd_stream *hd_streams_next_handshake(struct hd_worker *w);
/* hd_streams_next - whom to read: none that feeds a ring which has no room. */
struct hd_stream *hd_streams_next(struct hd_worker *w);
/* hd_stream_lose - detached and nobody takes it: close and free. */
void hd_stream_lose(struct hd_stream *s);
