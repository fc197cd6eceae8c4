/* SPDX-License-Identifier: MIT */
/* core/stream/stream_deadline.c - what is due on a stream at some time: one
 * timer in the worker's heap for all deadlines of a stream. Context: the
 * stream's worker. */
#include "core/stream/stream_life.h"
#include "core/stream/ws.h"

/* ---- setting ---- */

void hd_stream_rearm(struct hd_stream *s)
{
	uint64_t first = UINT64_MAX;

	for (unsigned i = 0; i < HD_DEADLINES; i++)
		if (s->deadline_ms[i] != 0)
			first = HD_MIN(first, s->deadline_ms[i]);
	if (first != UINT64_MAX)
		hd_heap_set(&s->worker->streams->timers, &s->timer, first);
}

void hd_stream_deadline(struct hd_stream *s, enum hd_deadline which,
			uint64_t delay_ms)
{
	uint64_t when = delay_ms ? s->worker->now_ms + delay_ms : 0;

	s->deadline_ms[which] = when;
	if (when != 0 && (s->timer.at == 0 || s->timer.when_ms > when))
		hd_heap_set(&s->worker->streams->timers, &s->timer, when);
}

/* ---- passing ---- */

static void module_timer(struct hd_stream *s, unsigned which)
{
	struct hd_meter *m = &s->worker->meter;

	if (!hd_stream_is_open(s) || s->proto->timer == NULL)
		return;
	struct hd_account *before = hd_meter_enter(m, s->account);

	s->proto->timer(s->mod, s, s->state, which);
	hd_meter_leave(m, before);
}

static void login_late(struct hd_stream *s)
{
	if (s->user != NULL && s->user->ops->late != NULL)
		s->user->ops->late(s);
	else
		hd_stream_close(s, HD_CLOSE_TIMEOUT);
}

static void on_deadline(struct hd_stream *s, enum hd_deadline which)
{
	switch (which) {
	case HD_DEADLINE_LOGIN:
		login_late(s);
		break;
	case HD_DEADLINE_WRITE:
		if (hd_stream_progressed(s))
			hd_stream_await_progress(s);
		else
			hd_stream_abort(s, HD_CLOSE_SLOW);
		break;
	case HD_DEADLINE_PAUSE:
		hd_stream_pause_passed(s);
		break;
	case HD_DEADLINE_MESSAGE:
		hd_ws_late(s);
		break;
	case HD_DEADLINE_PING:
		hd_ws_ping_due(s);
		break;
	case HD_DEADLINE_CLOSE:
		hd_stream_abort(s, s->why);
		break;
	case HD_DEADLINE_DRAIN: /* taken back while it moved: stays */
		if (!s->worker->serving)
			hd_stream_close(s, HD_CLOSE_DRAIN);
		break;
	default:
		module_timer(s, which);
	}
}

void hd_stream_on_timer(struct hd_stream *s)
{
	uint64_t now = s->worker->now_ms;

	for (unsigned i = 0; i < HD_DEADLINES; i++) {
		if (s->deadline_ms[i] == 0 || s->deadline_ms[i] > now)
			continue;
		s->deadline_ms[i] = 0;
		on_deadline(s, i);
	}
	hd_stream_rearm(s);
}
