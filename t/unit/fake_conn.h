/* SPDX-License-Identifier: MIT */
/* t/unit/fake_conn.h - hdcat's receiver by itself: what it calls of
 * connections, words and peers does nothing, and is here. Streams are the
 * test's own. For one program of one file. */
#pragma once
#include "tools/hdcat/files.h"
#include "tools/hdcat/progress.h"

static bool gone; /* the connection, reset by either end */

struct libhd_peer *libhd_stream_peer(const struct libhd_stream *s)
{
	static char peer;

	(void)s;
	return (struct libhd_peer *)&peer; /* nobody looks into it */
}

static bool here; /* the sender, at the relay */

bool libhd_peer_here(const struct libhd_peer *peer)
{
	(void)peer;
	return here;
}

static enum libhd_state endpoint = LIBHD_OPEN;

enum libhd_state libhd_state_of(const struct libhd *h)
{
	(void)h;
	return endpoint;
}

int line_write(struct libhd_stream *s, const char *fmt, ...)
{
	(void)s, (void)fmt;
	return 0;
}

void note(const struct hdcat *c, const char *fmt, ...)
{
	(void)c, (void)fmt;
}

void warn(const struct hdcat *c, const char *fmt, ...)
{
	(void)c, (void)fmt;
}

void progress(const struct hdcat *c, const char *name, uint64_t at,
	      uint64_t size)
{
	(void)c, (void)name, (void)at, (void)size;
}

void progress_end(const struct hdcat *c)
{
	(void)c;
}

static int64_t clock_ms;

int64_t now_us(void)
{
	return clock_ms * 1000;
}

void conn_run(struct conn *k)
{
	inflow_run(k);
}

void conn_reset(struct conn *k)
{
	gone = true;
	inflow_free(k);
}

void conn_last(struct conn *k)
{
	conn_reset(k);
}

void conn_refuse(struct conn *k, const char *why)
{
	(void)why;
	conn_reset(k);
}
