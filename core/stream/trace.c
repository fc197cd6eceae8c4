/* SPDX-License-Identifier: MIT */
/* core/stream/trace.c - what happened lately. */
#include "core/stream/trace.h"
#include <hyper-derp/control.h>
#include <hyper-derp/event.h>
#include <hyper-derp/worker.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "core/base/json_text.h"
#include "core/loop/worker.h"
#include "core/stream/stream_worker.h"

static struct hd_trace *main_ring;

const char *hd_trace_text(enum hd_trace_kind kind)
{
	static const char *const text[] = {
		[HD_TRACE_LOGIN] = "login",
		[HD_TRACE_DENIED] = "denied",
		[HD_TRACE_CLOSED] = "closed",
		[HD_TRACE_DROPS] = "drops",
	};

	return text[kind];
}

struct hd_trace_record *hd_trace_put(struct hd_trace **ring,
				     const struct hd_trace_record *r)
{
	if (*ring == NULL)
		*ring = calloc(1, sizeof(**ring));
	if (*ring == NULL)
		return NULL;
	struct hd_trace_record *to =
		&(*ring)->v[(*ring)->n++ % HD_TRACE_RECORDS];

	*to = *r;
	return to;
}

struct hd_trace **hd_trace_own(struct hd_worker *w)
{
	return w != NULL ? &w->streams->trace : &main_ring;
}

static struct hd_trace_record *next_record(struct hd_trace **ring)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	const struct hd_trace_record r = {
		.time_ms = (uint64_t)now.tv_sec * 1000 +
			   (uint64_t)now.tv_nsec / 1000000,
	};

	return hd_trace_put(ring, &r);
}

static uint64_t drops_of(const struct hd_stream *s)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < HD_DROP_N; i++)
		n += s->drops[i];
	return n;
}

static void fill(struct hd_trace_record *r, const struct hd_stream *s,
		 enum hd_trace_kind kind, const char *why)
{
	const struct hd_key *key = hd_stream_key(s);

	r->kind = (uint8_t)kind;
	r->has_key = key != NULL;
	if (key != NULL)
		r->key = *key;
	snprintf(r->proto, sizeof(r->proto), "%s", s->proto->name);
	snprintf(r->why, sizeof(r->why), "%s", why);
	r->addr = s->addr;
	r->seconds = (s->worker->now_ms - s->since_ms) / 1000;
	r->bytes_in = s->bytes_in;
	r->bytes_out = s->bytes_out;
	r->drops = drops_of(s);
}

static void send_event(const struct hd_trace_record *r, const char *event)
{
	struct hd_json j = { 0 };
	char addr[HD_ADDR_TEXT_BYTES];

	hd_json_open(&j, NULL, '{');
	if (r->has_key)
		hd_json_key(&j, "key", &r->key);
	hd_json_string(&j, "addr", hd_addr_text(&r->addr, addr));
	hd_json_string(&j, "proto", r->proto);
	hd_json_string(&j, "why", r->why);
	hd_json_close(&j);
	hd_json_put(&j, "", 1);
	if (j.error == 0)
		hd_event(event, j.text);
	hd_json_free(&j);
}

void hd_trace_stream(const struct hd_stream *s, enum hd_trace_kind kind,
		     const char *why)
{
	static const char *const events[] = {
		[HD_TRACE_LOGIN] = "peer.up",
		[HD_TRACE_DENIED] = "peer.denied",
		[HD_TRACE_CLOSED] = "peer.down",
	};
	struct hd_trace_record *r = next_record(&s->worker->streams->trace);

	if (r == NULL)
		return;
	fill(r, s, kind, why);
	if (hd_event_wanted() && r->has_key)
		send_event(r, events[kind]);
}

/* ---- drops ---- */

static void send_drops(const struct hd_trace_record *r)
{
	struct hd_json j = { 0 };

	hd_json_open(&j, NULL, '{');
	hd_json_string(&j, "reason", r->why);
	hd_json_uint(&j, "packets", r->drops);
	hd_json_close(&j);
	hd_json_put(&j, "", 1);
	if (j.error == 0)
		hd_event("drops", j.text);
	hd_json_free(&j);
}

static uint64_t dropped(enum hd_drop why)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < hd_workers(); i++)
		for (unsigned urgent = 0; urgent < 2; urgent++)
			n += hd_counter_read(
				&hd_worker_at(i)->stats.drops[why][urgent]);
	return n;
}

static uint64_t seen[HD_DROP_N]; /* of them, at the last tick */

/* What the process before this one has counted is none of this second's. */
void hd_trace_seen(void)
{
	for (unsigned i = 0; i < HD_DROP_N; i++)
		seen[i] = dropped(i);
}

void hd_trace_tick(void)
{
	for (unsigned i = 0; i < HD_DROP_N; i++) {
		uint64_t n = dropped(i);

		if (n == seen[i])
			continue;
		struct hd_trace_record *r = next_record(&main_ring);

		if (r == NULL)
			return;
		r->kind = HD_TRACE_DROPS;
		r->drops = n - seen[i];
		snprintf(r->why, sizeof(r->why), "%s", hd_drop_text(i));
		if (hd_event_wanted())
			send_drops(r);
		seen[i] = n;
	}
}

const struct hd_trace *hd_trace_main(void)
{
	return main_ring;
}
