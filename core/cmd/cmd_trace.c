/* SPDX-License-Identifier: MIT */
/* core/cmd/cmd_trace.c - what happened lately, of all workers in one order. */
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include <string.h>
#include "core/cmd/cmd.h"
#include "core/control/control.h"
#include "core/loop/worker.h"
#include "core/stream/stream_worker.h"
#include "core/stream/trace.h"

enum { LAST_DEFAULT = 100 };

struct records {
	size_t n;
	struct hd_trace_record v[];
};

static struct records *records_of(struct hd_call *c)
{
	size_t max = (size_t)(hd_workers() + 1) * HD_TRACE_RECORDS;

	return hd_call_data(c, sizeof(struct records) +
				       max * sizeof(struct hd_trace_record));
}

static void take(struct records *to, const struct hd_trace *ring)
{
	uint64_t first;

	if (to == NULL || ring == NULL)
		return;
	first = ring->n > HD_TRACE_RECORDS ? ring->n - HD_TRACE_RECORDS : 0;
	for (uint64_t i = first; i < ring->n; i++)
		to->v[to->n++] = ring->v[i % HD_TRACE_RECORDS];
}

static void each_trace(struct hd_module *mod, struct hd_call *c,
		       struct hd_worker *w)
{
	(void)mod;
	take(records_of(c), w->streams->trace);
}

static int by_time(const void *a, const void *b)
{
	const struct hd_trace_record *ra = a, *rb = b;

	return (ra->time_ms > rb->time_ms) - (ra->time_ms < rb->time_ms);
}

static void put_record(struct hd_call *c, const struct hd_trace_record *r)
{
	char addr[HD_ADDR_TEXT_BYTES];

	hd_out_open(c, NULL, '{');
	hd_out_double(c, "time", (double)r->time_ms / 1000);
	hd_out_string(c, "what", hd_trace_text(r->kind));
	if (r->kind == HD_TRACE_DROPS) {
		hd_out_string(c, "reason", r->why);
		hd_out_uint(c, "packets", r->drops);
		hd_out_close(c);
		return;
	}
	if (r->has_key)
		hd_out_key(c, "key", &r->key);
	hd_out_string(c, "addr", hd_addr_text(&r->addr, addr));
	hd_out_string(c, "proto", r->proto);
	hd_out_string(c, r->kind == HD_TRACE_LOGIN ? "agent" : "reason",
		      r->why);
	if (r->kind == HD_TRACE_CLOSED) {
		hd_out_uint(c, "seconds", r->seconds);
		hd_out_uint(c, "bytes_in", r->bytes_in);
		hd_out_uint(c, "bytes_out", r->bytes_out);
		hd_out_uint(c, "packets", r->drops);
	}
	hd_out_close(c);
}

static bool wanted(const struct hd_trace_record *r, const char *what)
{
	return what == NULL || strcmp(hd_trace_text(r->kind), what) == 0;
}

static bool is_kind(const char *what)
{
	for (unsigned i = 0; i < HD_TRACE_KINDS; i++)
		if (strcmp(hd_trace_text((enum hd_trace_kind)i), what) == 0)
			return true;
	return false;
}

static void done_trace(struct hd_module *mod, struct hd_call *c)
{
	struct records *all = records_of(c);
	const char *last = hd_call_arg(c, "last");
	const char *what = hd_call_arg(c, "what");
	size_t max = last != NULL ? strtoull(last, NULL, 10) : LAST_DEFAULT;
	size_t from, n = 0;

	(void)mod;
	if (what != NULL && !is_kind(what)) {
		hd_call_fail(c, "bad_argument",
			     "what: expected login, denied, closed or drops");
		return;
	}
	take(all, hd_trace_main());
	if (all == NULL)
		return;
	qsort(all->v, all->n, sizeof(all->v[0]), by_time);
	for (from = all->n; from > 0 && n < max; from--)
		n += wanted(&all->v[from - 1], what);
	hd_out_open(c, NULL, '[');
	for (; from < all->n; from++)
		if (wanted(&all->v[from], what))
			put_record(c, &all->v[from]);
	hd_out_close(c);
}

const struct hd_command hd_cmd_trace[] = {
	{ .words = "trace",
	  .args = "[--last N] [--what WHAT]",
	  .role = HD_ROLE_READ,
	  .help = "the last logins, denials, drops and closes (of each worker "
		  "512 are kept); WHAT: login, denied, drops, closed",
	  .each = each_trace,
	  .done = done_trace,
	  .columns = "time what key addr proto reason agent seconds bytes_in "
		     "bytes_out packets" },
	{ .words = NULL },
};
