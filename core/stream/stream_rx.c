/* SPDX-License-Identifier: MIT */
/* core/stream/stream_rx.c - the receiving half of a stream.
 *
 *   socket -> (TLS) -> (WebSocket) -> kept bytes + new ones -> proto->data()
 *   or               -> kept bytes + new ones -> WebSocket -> proto->message()
 *
 * All plaintext passes through one buffer of the worker, which stays in the
 * cache. What a protocol does not use, at most an unfinished frame, is kept in
 * a chunk of its own; an idle stream holds none.
 * Context: the stream's worker. */
#include <errno.h>
#include "core/base/clock.h"
#include "core/base/probes.h"
#include "core/stream/first.h"
#include "core/stream/limit.h"
#include "core/stream/stream_kept.h"
#include "core/stream/stream_life.h"
#include "core/stream/ws.h"
#include "core/tls/ktls.h"
#include "core/tls/tls.h"

void hd_stream_want(struct hd_stream *s, size_t n)
{
	s->want = (uint32_t)HD_MIN(n, (size_t)HD_KEPT_MAX_BYTES);
}

static bool has_messages(const struct hd_stream *s)
{
	return s->ws != NULL && s->ws->messages;
}

/* Bytes, or a WebSocket's messages. */
static size_t give(struct hd_stream *s, uint8_t *p, size_t n)
{
	return has_messages(s) ? hd_ws_take(s, s->ws, p, n)
			       : s->proto->data(s->mod, s, s->state, p, n);
}

static size_t call_data(struct hd_stream *s, uint8_t *p, size_t n)
{
	struct hd_meter *m = &s->worker->meter;

	if (__builtin_expect(!m->on, 1))
		return give(s, p, n);
	struct hd_account *before =
		hd_meter_switch(m, s->mod != NULL ? s->account : NULL);
	size_t used = give(s, p, n);

	hd_meter_switch(m, before);
	return used;
}

/* Gives n bytes of the worker's buffer to the protocol and keeps the rest. */
static void offer(struct hd_stream *s, size_t n)
{
	uint8_t *p = s->worker->plain;

	while (n > 0 && n >= s->want && hd_stream_takes_input(s)) {
		const struct hd_proto *proto = s->proto;
		bool framed = s->ws != NULL;

		s->want = 0;
		size_t used = call_data(s, p, n);
		bool switched = s->proto != proto;

		hd_assert(used <= n);
		p += used;
		n -= used;
		if (!framed && s->ws != NULL && !s->ws->messages) /* from now */
			n = hd_ws_unwrap(s, s->ws, p, n);
		if (!switched && used == 0)
			break;
		if (!switched && !s->rx_held && s->want == 0)
			break; /* an unfinished frame of unknown length */
	}
	if (hd_stream_is_open(s) && n > HD_KEPT_MAX_BYTES)
		hd_stream_close(s, HD_CLOSE_PROTOCOL);
	if (hd_stream_is_open(s) && n > 0)
		keep_more(s, p, n);
}

static void use_plain(struct hd_stream *s, size_t n)
{
	struct hd_worker *w = s->worker;
	size_t kept = kept_bytes(s);

	s->bytes_in += n;
	w->streams->turn_bytes += n;
	hd_count(&w->stats.recv_bytes, n);
	hd_account_add(s->account, HD_ACCOUNT_BYTES_IN, n);
	if (s->ws != NULL && !s->ws->messages)
		n = hd_ws_unwrap(s, s->ws, w->plain + kept, n);
	if (kept > 0 && kept + n < s->want)
		keep_more(s, w->plain + kept, n);
	else
		offer(s, unkeep(s) + n);
	if (s->ws != NULL)
		hd_ws_settle(s, s->ws);
}

__attribute__((noinline)) static void use_limited(struct hd_stream *s, size_t n)
{
	const struct hd_counter *packets = &s->worker->stats.packets_in;
	uint64_t before = packets->n;

	use_plain(s, n);
	if (s->throttle != NULL) /* else it closes */
		hd_throttle_charge(s, n, packets->n - before);
}

/* n bytes stand in the worker's buffer, behind room for what was kept. */
static inline void got_plain(struct hd_stream *s, size_t n)
{
	if (__builtin_expect(s->throttle != NULL, 0))
		use_limited(s, n);
	else
		use_plain(s, n);
}

/* What it said before comes first: hd_stream_resume() closes. */
static void got_eof(struct hd_stream *s)
{
	s->rx_eof = true;
	s->readable = false;
	if (s->kept != NULL && hd_stream_is_open(s) &&
	    (s->rx_held || s->rx_paused))
		return;
	if (s->user != NULL && s->user->ops->eof != NULL) {
		s->user->ops->eof(s);
		return;
	}
	hd_stream_close(s, HD_CLOSE_PEER);
	hd_stream_mark_dirty(s);
}

/* recv() has failed: there is nothing yet, or it broke off. */
static void got_none(struct hd_stream *s)
{
	s->readable = false;
	if (errno == EAGAIN || errno == EINTR)
		return;
	s->rx_eof = true;
	hd_stream_abort(s,
			errno == ECONNRESET ? HD_CLOSE_PEER : HD_CLOSE_ERROR);
}

/* Returns the bytes, 0 when there are none now; notes the end. */
static size_t receive(struct hd_stream *s, uint8_t *buf, size_t size)
{
	ssize_t n = recv(s->fd, buf, size, MSG_DONTWAIT);

	if (n > 0) {
		if ((size_t)n < size && !s->rx_hup)
			s->readable = false;
		return (size_t)n;
	}
	if (n == 0)
		got_eof(s);
	else
		got_none(s);
	return 0;
}

size_t hd_stream_peek(struct hd_stream *s, size_t most)
{
	ssize_t n =
		recv(s->fd, s->worker->plain, most, MSG_DONTWAIT | MSG_PEEK);

	if (n > 0)
		return (size_t)n;
	if (n < 0) {
		got_none(s);
		return 0;
	}
	s->readable = false;
	s->rx_eof = true;
	hd_stream_close(s, HD_CLOSE_PEER);
	return 0;
}

/* Opens what hd_tls_input() was given, a bufferful at a time. */
static void open_records(struct hd_stream *s)
{
	struct hd_worker *w = s->worker;
	struct hd_tls_env env = hd_stream_tls_env(s);

	while (hd_stream_is_open(s)) {
		int n = hd_tls_open(s->tls, &env, w->plain + kept_bytes(s),
				    HD_READ_BYTES);

		if (n > 0) {
			got_plain(s, (size_t)n);
			continue;
		}
		if (n == -EPIPE)
			got_eof(s);
		else if (n == -ECONNRESET)
			hd_stream_abort(s, HD_CLOSE_PEER);
		else if (n < 0)
			hd_stream_close(s, HD_CLOSE_ERROR);
		break;
	}
	if (s->flight.first != NULL)
		hd_stream_mark_dirty(s); /* an alert, an answer to KeyUpdate */
}

static void read_tls(struct hd_stream *s)
{
	struct hd_worker *w = s->worker;
	size_t cut = hd_tls_partial_bytes(s->tls);
	size_t n = receive(s, w->streams->cipher + cut, read_bytes(s));

	if (n == 0)
		return;
	hd_tls_take_partial(s->tls, &w->streams->pool, w->streams->cipher);
	hd_tls_input(s->tls, w->streams->cipher, cut + n);
	open_records(s);
}

static void kernel_failed(struct hd_stream *s, int e)
{
	s->readable = false;
	if (e == -EPIPE) {
		got_eof(s);
	} else if (e == -EPROTO) {
		hd_stream_close(s, HD_CLOSE_ERROR);
	} else {
		if (e == -EKEYEXPIRED)
			hd_count(&s->worker->stats.ktls_rekey, 1);
		s->rx_eof = true;
		hd_stream_abort(s, e == -ECONNRESET ? HD_CLOSE_PEER
						    : HD_CLOSE_ERROR);
	}
}

/* A read may end with any record: an edge is used up by -EAGAIN only. */
static void read_kernel(struct hd_stream *s)
{
	struct hd_worker *w = s->worker;
	int n = hd_tls_kernel_recv(s->tls, s->fd, w->plain + kept_bytes(s),
				   kernel_read_bytes(s));

	if (n > 0)
		got_plain(s, (size_t)n);
	else if (n == -EAGAIN || n == -EINTR)
		s->readable = n == -EINTR;
	else if (n == 0)
		got_eof(s);
	else
		kernel_failed(s, n);
}

static void read_plain(struct hd_stream *s)
{
	uint8_t *to = s->worker->plain + kept_bytes(s);
	size_t n = receive(s, to, read_bytes(s));

	if (n > 0)
		got_plain(s, n);
}

/* Records of any kind, up to the end or one that does not open. */
static void skip_kernel(struct hd_stream *s)
{
	enum hd_record_type type;
	int n = hd_ktls_recv(s->fd, s->worker->plain, HD_READ_BYTES, &type);

	s->readable = n > 0 || n == -EINTR;
	s->rx_eof = !s->readable && n != -EAGAIN;
}

/* After our side is shut down what still comes is thrown away: closing with
 * unread input would reset the connection under the peer's nose. */
static void read_nothing(struct hd_stream *s)
{
	if (s->tls != NULL && hd_tls_kernel(s->tls) & HD_KTLS_RX)
		skip_kernel(s);
	else
		receive(s, s->worker->plain, HD_READ_BYTES);
	if (s->rx_eof)
		hd_stream_mark_dirty(s);
}

static void hung_up(struct hd_stream *s)
{
	if (s->user != NULL && s->user->ops->hung_up != NULL)
		s->user->ops->hung_up(s);
}

/* Nothing is for the protocol. Returns false: nothing is read, and
 * hd_stream_resume() marks it again, or closes. */
static bool read_other(struct hd_stream *s)
{
	if (hd_first_look(s))
		return true;
	if (s->rx_hup)
		hung_up(s);
	return false;
}

void hd_stream_read(struct hd_stream *s)
{
	if (!hd_stream_is_open(s)) {
		if (s->phase == HD_PHASE_SHUT && !s->rx_eof)
			read_nothing(s);
	} else if (s->rx_held || s->rx_paused || s->rx_eof || s->proxy_due ||
		   s->hello_due) {
		if (!read_other(s))
			return;
	} else if (s->throttle != NULL && hd_throttle_stops(s)) {
		return;
	} else if (s->tls != NULL && hd_tls_kernel(s->tls) & HD_KTLS_RX) {
		read_kernel(s);
	} else if (s->tls != NULL) {
		read_tls(s);
	} else {
		read_plain(s);
	}
	if (s->readable &&
	    (hd_stream_takes_input(s) || s->phase == HD_PHASE_SHUT))
		hd_stream_mark_ready(s);
}

/* Its packets have not been charged, nor its bytes if they came with the login.
 */
static void offer_kept(struct hd_stream *s)
{
	const struct hd_counter *packets = &s->worker->stats.packets_in;
	uint64_t before = packets->n;

	s->want = 0;
	offer(s, unkeep(s));
	if (s->throttle == NULL)
		return;
	hd_throttle_charge(s, s->throttle->kept, packets->n - before);
	s->throttle->kept = 0;
}

void hd_stream_resume(struct hd_stream *s)
{
	if (!hd_stream_takes_input(s))
		return;
	if (s->kept != NULL)
		offer_kept(s);
	if (s->rx_eof && hd_stream_takes_input(s))
		got_eof(s);
	if (s->readable && hd_stream_is_open(s))
		hd_stream_mark_ready(s);
}

/* ---- handshake ---- */

/* A record may be cut off when it is offered: then a little later. */
#define KERNEL_TRIES 8

static void handshake_failed(struct hd_stream *s)
{
	hd_count(&s->worker->stats.tls_failed, 1);
	HD_PROBE(tls_done, s, s->worker->index, 0);
	hd_first_failed(s);
	s->handshaking = false;
	hd_stream_close(s, HD_CLOSE_ERROR);
}

void hd_stream_handshake(struct hd_stream *s)
{
	struct hd_worker *w = s->worker;
	struct hd_tls_env env = hd_stream_tls_env(s);
	struct hd_alpn alpn = { .choose = hd_first_choose, .arg = s };
	bool first = hd_tls_speaks_first(s->tls);
	size_t n = first ? 0 : receive(s, w->streams->cipher, HD_READ_BYTES);
	int r;

	if (n == 0 && !first)
		return;
	env.alpn = &alpn;
	hd_tls_input(s->tls, w->streams->cipher, n);
	r = hd_tls_handshake(s->tls, &env);
	hd_stream_mark_dirty(s);
	if (r < 0) {
		handshake_failed(s);
	} else if (r > 0) {
		s->handshaking = false;
		s->kernel_tries = w->streams->ktls != 0 ? KERNEL_TRIES : 0;
		hd_count(&w->stats.tls_ok, 1);
		hd_observe(&w->stats.tls_time, hd_clock_ns() - s->since_ns);
		HD_PROBE(tls_done, s, w->index, 1);
		hd_first_opened(s, alpn.chosen[0] != '\0' ? alpn.chosen : NULL);
		open_records(s);
	}
	if (s->readable && hd_stream_is_open(s))
		hd_stream_mark_ready(s);
}
