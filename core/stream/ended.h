/* SPDX-License-Identifier: MIT */
/* core/stream/ended.h - what the log says of connections that have ended, and
 * of logins that were refused. A peer has a line of its own, always. Whoever
 * never became one has it while they are few; those beyond that, and all who
 * only looked at a page, are counted, and told together: a crowd of strangers
 * must not fill the disk, nor be silent.
 *
 *   nobody --the first--> counting --10 min, or 10 s of many--> one line
 *
 * Context: the worker. */
#pragma once
#include "core/base/close.h"

struct hd_stream;
struct hd_worker;

/* What one worker tells in its own line in 10 s, and how many are many. */
enum { HD_ENDED_LINES = 100, HD_ENDED_MANY = 1000 };

struct hd_ended { /* since the last line; all zero: nobody */
	uint64_t since_ms, due_ms; /* due_ms 0: there is nothing to tell */
	uint64_t n, bytes_in, bytes_out, refused;
	uint64_t by[HD_CLOSE_N];
	uint64_t window_ms; /* since then so many lines were written: */
	unsigned lines;
};

/* hd_ended_stream - the last that is said of it.
 * hd_ended_refused - whether a refused login has a line of its own; else it is
 * counted.
 * hd_ended_tell - what was counted, in a line. When due_ms is over, and at the
 * end of the worker. */
void hd_ended_stream(const struct hd_stream *s);
bool hd_ended_refused(struct hd_worker *w);
void hd_ended_tell(struct hd_worker *w);
