/* SPDX-License-Identifier: MIT */
/* core/stream/trace.h - what happened lately: a ring of records in each worker,
 * and one of the main thread. Nothing here is on the packet path: dropped
 * packets are counted there and looked at once a second. */
#pragma once
#include "core/base/snap.h"
#include "core/stream/stream.h"

enum { HD_TRACE_RECORDS = 512 }; /* a power of two */

enum hd_trace_kind {
	HD_TRACE_LOGIN,
	HD_TRACE_DENIED,
	HD_TRACE_CLOSED,
	HD_TRACE_DROPS, /* of one reason, within a second */
	HD_TRACE_KINDS
};

struct hd_trace_record { /* plain data: no pointer into a module */
	uint64_t time_ms; /* since 1970 */
	uint8_t kind;
	bool has_key;
	char proto[15];
	char why[80];
	struct hd_key key;
	union hd_addr addr;
	uint64_t seconds, bytes_in, bytes_out, drops;
};

struct hd_trace {
	uint64_t n; /* ever written; the last HD_TRACE_RECORDS are there */
	struct hd_trace_record v[HD_TRACE_RECORDS];
};

/* hd_trace_stream - something happened to a stream; tells watchers too. The
 * stream's worker. */
void hd_trace_stream(const struct hd_stream *s, enum hd_trace_kind kind,
		     const char *why);
/* hd_trace_tick - once a second, main thread: drops. hd_trace_main - its ring.
 * hd_trace_text - "login". */
void hd_trace_tick(void);
const struct hd_trace *hd_trace_main(void);
const char *hd_trace_text(enum hd_trace_kind kind);
/* hd_trace_put - a copy, the newest of its ring. Returns where it is; NULL: out
 * of memory. hd_trace_own - the ring of a worker; NULL: the main thread's. */
struct hd_trace_record *hd_trace_put(struct hd_trace **ring,
				     const struct hd_trace_record *r);
struct hd_trace **hd_trace_own(struct hd_worker *w);

/* ---- to another process: trace_snap.c; workers stand ---- */

/* hd_trace_pack - an item each; NULL: none.
 * hd_traces_take - all of a snapshot, by time, into the rings of this process;
 * what it counts as dropped, from now on, is behind what has been counted. Main
 * thread. Returns 0; -EBADMSG; -ENOMEM; -ENOTSUP. */
void hd_trace_pack(const struct hd_trace *ring, struct hd_snap *to);
int hd_traces_take(struct hd_snap_in in, struct hd_error *err);
void hd_trace_seen(void);
