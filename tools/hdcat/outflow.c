/* SPDX-License-Identifier: MIT */
/* tools/hdcat/outflow.c - hdcat send: a stream that files go by, and another
 * one when it has broken, until all are there or the listener does not come
 * back. */
#include "tools/hdcat/outflow.h"
#include "tools/hdcat/loop.h"
#include "tools/hdcat/progress.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 32 /* then the endpoint has a turn */
#define AGAIN_MS 1000

static void lost(struct outflow *f, const char *why)
{
	struct hdcat *c = f->c;

	note(c, "the connection is lost (%s); it goes on when the other end is "
		"back", why);
	libhd_stream_close(&f->s);
	departures_reset(f);
	f->again_ms = now_us() / 1000 + AGAIN_MS;
	if (f->lost_ms == 0)
		f->lost_ms = now_us() / 1000;
}

static bool all_over(const struct outflow *f)
{
	for (size_t i = 0; i < f->items.n; i++)
		if (!f->items.v[i].over)
			return false;
	return true;
}

/* ---- what comes ---- */

static void stopped(struct outflow *f, const struct record *r)
{
	char why[SHOWN_BYTES];

	fail(f->c, STATUS_BROKEN, "the other end has stopped: %s",
	     shown((const char *)r->body, r->n, why));
}

static int handle(struct outflow *f, const struct record *r)
{
	f->lost_ms = 0;
	switch (r->type) {
	case RECORD_WANT:
	case RECORD_REFUSED:
	case RECORD_DONE:
		return departure_answer(f, r);
	case RECORD_STOP:
		stopped(f, r);
		return 0;
	case RECORD_BYE:
		f->well = f->bye;
		return f->bye ? 0 : -EPROTO;
	default:
		return -EPROTO;
	}
}

/* The other end's line. Returns 1; 0 not yet; -errno. */
static int answer(struct outflow *f)
{
	int r = line_read(&f->line, f->s);

	if (r <= 0)
		return r;
	f->answered = true;
	if (strcmp(f->line.v, "ok") == 0)
		return 1;
	fail(f->c, STATUS_PEER, "the other end: %s",
	     strncmp(f->line.v, "no ", 3) == 0 ? f->line.v + 3 : "(unclear)");
	return 0;
}

/* Answers may need room for one of ours. */
static int take(struct outflow *f)
{
	struct record r;
	int e;

	if (!f->answered)
		return answer(f);
	if (!records_room(&f->out))
		return 0;
	e = records_read(&f->in, f->s, &r);
	return e == 1 && (e = handle(f, &r)) == 0 ? 1 : e;
}

/* ---- turns ---- */

static void show(const struct outflow *f)
{
	const struct departure *d = &f->ring[f->turn % OFFERS_MAX];

	progress_all(f->bytes_over, f->items.bytes);
	if (f->turn < f->offered && d->state == DEPARTURE_SENDING)
		progress(f->c, d->o.name, f->sum->n, d->o.size);
}

/* Returns 1 there is more to do; 0 not now; -errno the stream is broken. */
static int step(struct outflow *f)
{
	int e = take(f), more;

	if (e < 0)
		return e;
	departures_offer(f);
	more = departure_turn(f);
	if (!records_room(&f->out) || more == 0) {
		int r = records_flush(&f->out, f->s);

		if (r < 0)
			return r;
	}
	return e > 0 || more > 0;
}

/* The stream is there. Returns whether there is more to do at once. */
static bool go_on(struct outflow *f)
{
	int e = 1;

	for (unsigned i = 0; i < STEPS_MAX && e > 0; i++) {
		e = step(f);
		if (f->well || f->c->status != STATUS_RUNNING)
			return false;
	}
	show(f);
	if (e >= 0)
		return e > 0;
	if (f->bye && all_over(f))
		f->well = true; /* it knows, and has gone */
	else if (e == -EPROTO)
		fail(f->c, STATUS_BROKEN, "the other end does not do as the "
					  "protocol has it");
	else if (e == -ECONNREFUSED)
		fail(f->c, STATUS_PEER, "the other end has another key");
	else
		lost(f, e == -ENODATA ? "it has ended" : strerror(-e));
	return false;
}

static void begin(struct outflow *f)
{
	int r = libhd_stream_open(f->c->peer, &f->s);

	if (r == 0)
		r = line_write(f->s, LINE_BEGIN "send");
	if (r < 0)
		lost(f, strerror(-r));
}

static int64_t give_up_ms(const struct outflow *f)
{
	return f->lost_ms + (int64_t)f->c->timeout_s * 1000;
}

/* There is no stream. Returns when to look again. */
static int64_t wait_for_it(struct outflow *f)
{
	int64_t now = now_us() / 1000, until;

	if (f->lost_ms != 0 && now >= give_up_ms(f)) {
		fail(f->c, STATUS_BROKEN, "the other end has not come back; "
					  "send again to go on");
		return 0;
	}
	if (now >= f->again_ms && libhd_peer_here(f->c->peer)) {
		begin(f);
		return now;
	}
	until = now + AGAIN_MS;
	return f->lost_ms != 0 && give_up_ms(f) < until ? give_up_ms(f) : until;
}

static void run(struct outflow *f)
{
	struct hdcat *c = f->c;

	c->stays = true;
	while (c->status == STATUS_RUNNING && !f->well) {
		int64_t until = dial_keep(c);

		if (f->s == NULL)
			until = wait_for_it(f);
		else if (go_on(f) || f->s == NULL)
			until = now_us() / 1000;
		if (c->status == STATUS_RUNNING && !f->well)
			loop_turn(c, until);
	}
}

static void tell(struct outflow *f)
{
	unsigned failed = f->failed + f->items.failed;
	struct hdcat *c = f->c;
	char bytes[16];

	if (!f->well)
		return;
	if (failed > 0)
		fail(c, STATUS_BROKEN, "%u files are there, %u are not",
		     f->files, failed);
	else
		note(c, "all is there: %u file%s, %s", f->files,
		     f->files == 1 ? "" : "s",
		     shown_bytes(f->items.bytes, bytes));
	if (c->status == STATUS_RUNNING)
		c->status = STATUS_OK;
}

int run_send(struct hdcat *c, char **words, unsigned n)
{
	struct outflow *f = calloc(1, sizeof(*f));

	if (f != NULL) {
		f->c = c;
		f->fd = -1;
		f->sum = sum_new();
	}
	c->status_at_signal = STATUS_BROKEN;
	if (f == NULL || f->sum == NULL)
		fail(c, STATUS_BROKEN, "no memory");
	else if (walk(c, words, n, &f->items) == 0 && loop_open(c) == 0 &&
		 dial_reach(c) == 0)
		run(f);
	progress_end(c);
	if (f != NULL) {
		tell(f);
		libhd_stream_close(&f->s);
		departures_reset(f);
		items_free(&f->items);
		sum_free(&f->sum);
	}
	free(f);
	end_finish(c);
	loop_close();
	return c->status;
}
