/* SPDX-License-Identifier: MIT */
/* core/stream/trace_snap.c - what happened lately goes to another process: who
 * looks for a reason after an upgrade finds what was before it. */
#include <errno.h>
#include <hyper-derp/worker.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/snap_format.h"
#include "core/loop/worker.h"
#include "core/stream/trace.h"

#define N(field, tag) HD_SNAP_NUMBER(struct hd_trace_record, field, tag)
#define B(field, tag) HD_SNAP_ARRAY(struct hd_trace_record, field, tag)

static const struct hd_snap_field fields[] = {
	N(time_ms, HD_SNAP_TRACE_TIME),
	B(addr, HD_SNAP_TRACE_ADDR),
	N(seconds, HD_SNAP_TRACE_SECONDS),
	N(bytes_in, HD_SNAP_TRACE_BYTES_IN),
	N(bytes_out, HD_SNAP_TRACE_BYTES_OUT),
	N(drops, HD_SNAP_TRACE_DROPS),
};

static void pack_record(const struct hd_trace_record *r, struct hd_snap *to)
{
	size_t at = hd_snap_begin(to, HD_SNAP_TRACE);

	hd_snap_text(to, HD_SNAP_TRACE_WHAT, hd_trace_text(r->kind));
	hd_snap_struct(to, fields, HD_ARRAY_N(fields), r);
	if (r->has_key)
		hd_snap_bytes(to, HD_SNAP_TRACE_KEY, &r->key, sizeof(r->key));
	hd_snap_text(to, HD_SNAP_TRACE_PROTO, r->proto);
	hd_snap_text(to, HD_SNAP_TRACE_WHY, r->why);
	hd_snap_end(to, at);
}

void hd_trace_pack(const struct hd_trace *ring, struct hd_snap *to)
{
	uint64_t n = ring != NULL ? ring->n : 0;

	for (uint64_t i = n > HD_TRACE_RECORDS ? n - HD_TRACE_RECORDS : 0;
	     i < n; i++)
		pack_record(&ring->v[i % HD_TRACE_RECORDS], to);
}

/* ---- in the new process ---- */

struct records {
	struct hd_trace_record *v;
	size_t n, size;
};

/* What is too long here is cut off. */
static int take_text(const struct hd_snap_item *item, char *to, size_t size)
{
	char *text = NULL;
	int r = hd_snap_to_text(item, &text);

	if (r < 0)
		return r;
	snprintf(to, size, "%s", text);
	free(text);
	return 0;
}

/* A kind that is not known here is passed over: HD_TRACE_KINDS. */
static int take_kind(const struct hd_snap_item *item, struct hd_trace_record *r)
{
	char text[16];
	int ret = take_text(item, text, sizeof(text));

	while (ret == 0 && r->kind < HD_TRACE_KINDS &&
	       strcmp(hd_trace_text(r->kind), text) != 0)
		r->kind++;
	return ret;
}

static int take_item(const struct hd_snap_item *item, struct hd_trace_record *r,
		     uint64_t *seen, struct hd_error *err)
{
	int ret = hd_snap_fill(item, fields, HD_ARRAY_N(fields), r, seen);

	if (ret != 0)
		return HD_MIN(ret, 0);
	switch (item->tag) {
	case HD_SNAP_TRACE_WHAT:
		return take_kind(item, r);
	case HD_SNAP_TRACE_KEY:
		r->has_key = true;
		return hd_snap_to_bytes(item, &r->key, sizeof(r->key));
	case HD_SNAP_TRACE_PROTO:
		return take_text(item, r->proto, sizeof(r->proto));
	case HD_SNAP_TRACE_WHY:
		return take_text(item, r->why, sizeof(r->why));
	default:
		return hd_snap_unknown(item, "a trace", err);
	}
}

static int take_record(struct hd_snap_in in, struct hd_trace_record *ret,
		       struct hd_error *err)
{
	uint64_t seen = 0;
	struct hd_snap_item item;
	int r;

	*ret = (struct hd_trace_record){ 0 };
	while ((r = hd_snap_next(&in, &item)) == 1) {
		r = take_item(&item, ret, &seen, err);
		if (r < 0)
			return r;
	}
	return r == 0 && hd_snap_whole(fields, HD_ARRAY_N(fields), seen)
		       ? 0
		       : -EBADMSG;
}

static int add(struct records *all, const struct hd_trace_record *r)
{
	if (all->n == all->size) {
		size_t size = all->size > 0 ? 2 * all->size : HD_TRACE_RECORDS;
		struct hd_trace_record *v =
			realloc(all->v, size * sizeof(*v));

		if (v == NULL)
			return -ENOMEM;
		all->v = v;
		all->size = size;
	}
	all->v[all->n++] = *r;
	return 0;
}

static int by_time(const void *a, const void *b)
{
	const struct hd_trace_record *ra = a, *rb = b;

	return (ra->time_ms > rb->time_ms) - (ra->time_ms < rb->time_ms);
}

/* There may be fewer workers: of too many the oldest are forgotten. */
static void enter(const struct records *all)
{
	unsigned next = 0;

	for (size_t i = 0; i < all->n; i++) {
		struct hd_worker *w = NULL;

		if (all->v[i].kind != HD_TRACE_DROPS)
			w = hd_worker_at(next++ % hd_workers());
		hd_trace_put(hd_trace_own(w), &all->v[i]);
	}
}

int hd_traces_take(struct hd_snap_in in, struct hd_error *err)
{
	struct records all = { NULL, 0, 0 };
	struct hd_trace_record record;
	struct hd_snap_item item;
	int r = 0;

	while (r == 0 && hd_snap_next(&in, &item) == 1) {
		if (item.tag == HD_SNAP_TRACE)
			r = take_record(item.in, &record, err);
		if (r == 0 && item.tag == HD_SNAP_TRACE &&
		    record.kind < HD_TRACE_KINDS)
			r = add(&all, &record);
	}
	if (r == 0 && all.n > 0) {
		qsort(all.v, all.n, sizeof(*all.v), by_time);
		enter(&all);
	}
	free(all.v);
	hd_trace_seen();
	return r;
}
