/* SPDX-License-Identifier: MIT */
/* core/stream/splice.c - two streams are a pipe.
 *
 * Each of the two is an end, which takes what the other one has read:
 *
 *   OPEN --the other's end is read, all has left--> FAREWELL --> ENDED
 *     |                                             (of TLS)   (of TCP)
 *     `--the other broke off, all has left--> aborted
 *
 * Both are ENDED: both are freed. The pipe is the user of both streams
 * (struct hd_stream_user): it is called when an end has room again, which it
 * asks for (user_waits) while the other one is held back, or something is due
 * behind the last byte. Context: the worker of both. */
#include <hyper-derp/splice.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "core/stream/stream_life.h"

/* Below the smallest output limit: nothing is ever dropped. Reading goes on
 * when half of it has left. */
#define QUEUE_MAX_BYTES HD_OUTPUT_LIMIT_MIN_BYTES

struct pipe;

struct end {
	struct hd_stream_user user; /* of its stream */
	struct hd_stream *s; /* NULL: it has gone */
	struct pipe *pipe;
	struct end *other;
	bool end_due; /* the other's end has been read */
	bool farewell; /* that of TLS is on its way, if there is TLS */
	bool ended; /* and the socket's */
	bool cut_due; /* the other has broken off */
	enum hd_close cut_why;
};

struct pipe {
	struct end end[2];
	uint32_t idle_ms;
	uint64_t moved_ms; /* when the last byte came */
};

static struct end *end_of(const struct hd_stream *s)
{
	return hd_container_of(s->user, struct end, user);
}

static bool is_open(const struct end *e)
{
	return e->s != NULL && hd_stream_is_open(e->s);
}

static size_t queued(const struct hd_stream *s)
{
	return s->lane[HD_LANE_BULK].bytes + s->flight.bytes;
}

static bool all_has_left(const struct hd_stream *s)
{
	return s->output == HD_OUTPUT_IDLE && s->flight.first == NULL &&
	       s->lane[HD_LANE_BULK].first == NULL &&
	       s->lane[HD_LANE_CONTROL].first == NULL;
}

/* drained() is called when what is under way has left. */
static void call_me(struct hd_stream *s)
{
	s->user_waits = true;
	if (s->output == HD_OUTPUT_SENDING)
		hd_stream_expect_sent(s);
	else
		hd_stream_mark_dirty(s);
}

/* ---- bytes ---- */

static void put(struct hd_stream *to, const uint8_t *p, size_t n)
{
	while (n > 0) {
		size_t part = HD_MIN(n, (size_t)HD_CHUNK_BYTES);

		if (!hd_stream_append(to, HD_LANE_BULK, p, part)) {
			/* out of memory: rather no end than a hole */
			hd_stream_abort(to, HD_CLOSE_ERROR);
			return;
		}
		p += part;
		n -= part;
	}
}

size_t hd_splice_data(struct hd_stream *s, uint8_t *p, size_t n)
{
	struct hd_stream *to;
	size_t room;

	if (s->user == NULL)
		return 0;
	to = end_of(s)->other->s;
	if (!is_open(end_of(s)->other))
		return n; /* nobody is there to have it */
	end_of(s)->pipe->moved_ms = s->worker->now_ms;
	room = QUEUE_MAX_BYTES - HD_MIN(queued(to), (size_t)QUEUE_MAX_BYTES);
	if (n >= room) {
		n = room;
		s->rx_held = true;
		call_me(to);
	}
	put(to, p, n);
	return n;
}

static void let_go(struct end *from)
{
	if (!is_open(from) || !from->s->rx_held)
		return;
	from->s->rx_held = false;
	hd_stream_resume(from->s);
}

/* ---- the end of one direction ---- */

static void both_ended(struct pipe *p)
{
	if (!p->end[0].ended || !p->end[1].ended)
		return;
	for (unsigned i = 0; i < 2; i++)
		if (is_open(&p->end[i]))
			hd_stream_abort(p->end[i].s, HD_CLOSE_DONE);
}

/* All that was queued has left. */
static void say_end(struct end *e)
{
	if (!e->farewell) {
		e->farewell = true;
		hd_stream_say_end(e->s);
		call_me(e->s); /* an alert may have to leave */
		return;
	}
	if (!hd_stream_kernel_goodbye(e->s))
		return;
	e->ended = true;
	shutdown(e->s->fd, SHUT_WR);
	both_ended(e->pipe);
}

/* May come several times. */
static void on_eof(struct hd_stream *s)
{
	struct end *to = end_of(s)->other;

	if (to->end_due)
		return;
	to->end_due = true;
	if (is_open(to))
		call_me(to->s);
}

/* ---- as the user of its stream ---- */

static bool is_waiting(const struct end *e)
{
	if (e->cut_due || (e->end_due && !e->ended))
		return true;
	return is_open(e->other) && e->other->s->rx_held;
}

static void on_drained(struct hd_stream *s)
{
	struct end *e = end_of(s);

	if (queued(s) <= QUEUE_MAX_BYTES / 2)
		let_go(e->other);
	if (all_has_left(s) && e->cut_due)
		hd_stream_abort(s, e->cut_why);
	else if (all_has_left(s) && e->end_due && !e->ended)
		say_end(e);
	s->user_waits = is_waiting(e);
}

static bool breaks_off(enum hd_close why)
{
	return why == HD_CLOSE_PEER || why == HD_CLOSE_ERROR ||
	       why == HD_CLOSE_SLOW || why == HD_CLOSE_TIMEOUT;
}

/* What is queued there leaves within the write timeout. */
static void cut(struct end *e, enum hd_close why)
{
	e->cut_due = true;
	e->cut_why = why;
	e->s->rx_held = true;
	hd_stream_deadline(e->s, HD_DEADLINE_LOGIN,
			   e->s->worker->conf->write_timeout_ms);
	call_me(e->s);
}

/* May come several times. */
static void on_closing(struct hd_stream *s)
{
	struct end *to = end_of(s)->other;

	if (!is_open(to) || to->cut_due)
		return;
	if (breaks_off(s->like))
		cut(to, s->why);
	else
		hd_stream_close(to->s, s->why);
}

static void on_late(struct hd_stream *s)
{
	const struct end *e = end_of(s);
	uint64_t until_ms = e->pipe->moved_ms + e->pipe->idle_ms;

	if (e->cut_due)
		hd_stream_abort(s, e->cut_why);
	else if (s->worker->now_ms < until_ms)
		hd_stream_deadline(s, HD_DEADLINE_LOGIN,
				   until_ms - s->worker->now_ms);
	else
		hd_stream_close(s, HD_CLOSE_TIMEOUT);
}

static void on_ended(struct hd_stream *s)
{
	struct end *e = end_of(s);

	hd_stream_set_user(s, NULL);
	e->s = NULL;
	if (e->other->s == NULL)
		free(e->pipe);
}

static const struct hd_stream_user_ops splice_user = {
	.drained = on_drained,
	.eof = on_eof,
	.late = on_late,
	.closing = on_closing,
	.ended = on_ended,
};

/* ---- it begins ---- */

/* A reader that stops for a while is nothing to the kernel either. */
static void join(struct pipe *p, unsigned i, struct hd_stream *s)
{
	struct end *e = &p->end[i];
	int ms = (int)p->idle_ms;

	*e = (struct end){
		.user = { .ops = &splice_user, .patience_ms = p->idle_ms },
		.s = s,
		.pipe = p,
		.other = &p->end[1 - i],
	};
	setsockopt(s->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
	hd_stream_set_user(s, &e->user);
}

static void begin(struct hd_stream *s)
{
	s->rx_held = false;
	if (s->kept != NULL || s->rx_paused) /* what is kept is offered then */
		hd_stream_rx_pause(s, 1);
	else
		hd_stream_mark_ready(s);
}

int hd_splice(struct hd_stream *a, struct hd_stream *b, uint32_t idle_ms)
{
	struct pipe *p;

	if (a == b || a->worker != b->worker || a->mod != b->mod)
		return -EINVAL;
	if (!hd_stream_is_open(a) || !hd_stream_is_open(b))
		return -EPIPE;
	if (a->user != NULL || b->user != NULL)
		return -EBUSY;
	p = malloc(sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	p->idle_ms = idle_ms;
	p->moved_ms = a->worker->now_ms;
	join(p, 0, a);
	join(p, 1, b);
	b->deadline_ms[HD_DEADLINE_LOGIN] = 0;
	hd_stream_deadline(a, HD_DEADLINE_LOGIN, idle_ms);
	begin(a);
	begin(b);
	return 0;
}
