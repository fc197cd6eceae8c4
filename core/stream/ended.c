/* SPDX-License-Identifier: MIT */
/* core/stream/ended.c - see ended.h. */
#include "core/stream/ended.h"
#include <hyper-derp/log.h>
#include <stdio.h>
#include <string.h>
#include "core/base/descriptors.h"
#include "core/loop/worker.h"
#include "core/stream/proxied.h"
#include "core/stream/stream_worker.h"
#include "core/stream/trace.h"

enum { FEW_MS = 600000, MANY_MS = 10000 };

/* ---- counted ---- */

/* What is due sooner stays. */
static void due_in(struct hd_ended *e, uint64_t ms)
{
	uint64_t due = e->since_ms + ms;

	if (e->due_ms == 0 || due < e->due_ms)
		e->due_ms = due;
}

static struct hd_ended *counting(struct hd_worker *w)
{
	struct hd_ended *e = &w->streams->ended;

	if (e->due_ms == 0) {
		e->since_ms = w->now_ms;
		due_in(e, FEW_MS);
	}
	return e;
}

static void count_stream(const struct hd_stream *s)
{
	struct hd_ended *e = counting(s->worker);

	e->n++;
	e->by[s->like]++;
	e->bytes_in += s->bytes_in;
	e->bytes_out += s->bytes_out;
	if (e->n >= HD_ENDED_MANY)
		due_in(e, MANY_MS);
}

/* Returns whether one more line may be written. */
static bool may_write(struct hd_worker *w)
{
	struct hd_ended *e = &w->streams->ended;

	if (w->now_ms - e->window_ms >= MANY_MS) {
		e->window_ms = w->now_ms;
		e->lines = 0;
	}
	if (e->lines < HD_ENDED_LINES) {
		e->lines++;
		return true;
	}
	due_in(counting(w), MANY_MS);
	return false;
}

bool hd_ended_refused(struct hd_worker *w)
{
	if (!hd_log_on(HD_LOG_NOTICE))
		return false;
	if (may_write(w))
		return true;
	w->streams->ended.refused++;
	return false;
}

/* ---- told ---- */

static void words(const struct hd_ended *e, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < HD_CLOSE_N && n < size; i++)
		if (e->by[i] > 0)
			n += (size_t)snprintf(buf + n, size - n, " %s=%llu",
					      hd_close_word(i),
					      (unsigned long long)e->by[i]);
}

void hd_ended_tell(struct hd_worker *w)
{
	struct hd_ended *e = &w->streams->ended;
	char by[HD_CLOSE_N * 32];

	if (e->due_ms == 0)
		return;
	words(e, by, sizeof(by));
	/* refused logins are told at notice, each or together */
	hd_log_write(e->refused > 0 ? HD_LOG_NOTICE : HD_LOG_INFO,
		     "without a line of their own: connections=%llu "
		     "logins_refused=%llu seconds=%llu in=%llu out=%llu%s",
		     (unsigned long long)e->n, (unsigned long long)e->refused,
		     (unsigned long long)(w->now_ms - e->since_ms) / 1000,
		     (unsigned long long)e->bytes_in,
		     (unsigned long long)e->bytes_out, by);
	*e = (struct hd_ended){ .window_ms = e->window_ms, .lines = e->lines };
}

/* ---- a line of its own ---- */

static void write_line(const struct hd_stream *s, enum hd_log_level level)
{
	char addr[HD_ADDR_TEXT_BYTES], via[HD_VIA_TEXT_BYTES];
	const char *name = s->user != NULL ? s->user->name : NULL;
	const char *tenant = s->user != NULL ? s->user->tenant : NULL;

	if (!hd_log_on(level))
		return;
	hd_log_write(level,
		     "closed: key=%s addr=%s%s proto=%s seconds=%.1f in=%llu "
		     "out=%llu drops=%u write_error=%u%s%s why=%s%s%s%s",
		     hd_stream_key_text(s), hd_addr_text(&s->addr, addr),
		     hd_proxied_text(s, via), s->proto->name,
		     (double)(s->worker->now_ms - s->since_ms) / 1000,
		     (unsigned long long)s->bytes_in,
		     (unsigned long long)s->bytes_out,
		     s->drops[HD_DROP_QUEUE_HEAD],
		     s->drops[HD_DROP_WRITE_ERROR], tenant ? " tenant=" : "",
		     tenant ? tenant : "", hd_close_text(s->mod, s->why),
		     name ? " name=\"" : "", name ? name : "",
		     name ? "\"" : "");
}

/* It did not only look at a page. */
static bool has_failed(const struct hd_stream *s)
{
	return s->like != HD_CLOSE_DONE && s->like != HD_CLOSE_PEER;
}

static bool was_peer(const struct hd_stream *s)
{
	return hd_stream_key(s) != NULL && s->like != HD_CLOSE_DENIED;
}

/* What the relay has dialled is none that came in. */
static bool came_in(const struct hd_stream *s)
{
	return s->fds != HD_FDS_DIALLED && s->fds != HD_FDS_ONWARD;
}

static void say(const struct hd_stream *s)
{
	if (was_peer(s) ||
	    (came_in(s) && has_failed(s) && hd_log_on(HD_LOG_INFO) &&
	     may_write(s->worker))) {
		write_line(s, HD_LOG_INFO);
		return;
	}
	write_line(s, HD_LOG_DEBUG);
	if (came_in(s))
		count_stream(s);
}

void hd_ended_stream(const struct hd_stream *s)
{
	say(s);
	if (hd_stream_key(s) != NULL || has_failed(s))
		hd_trace_stream(s, HD_TRACE_CLOSED,
				hd_close_text(s->mod, s->why));
}
