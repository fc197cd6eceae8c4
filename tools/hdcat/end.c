/* SPDX-License-Identifier: MIT */
/* tools/hdcat/end.c - what both ends have. */
#include "tools/hdcat/hdcat.h"
#include "tools/hdcat/progress.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define FINISH_MS 5000

int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- what is told ---- */

#define NOTES_MAX 20 /* at once; then one a second */
#define NOTE_MS 1000

static void __attribute__((format(printf, 2, 0)))
say(const struct hdcat *c, const char *fmt, va_list args)
{
	progress_end(c);
	fputs("hdcat: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
}

/* Others can make us say things: there is an end to that. */
static bool may_note(void)
{
	static int64_t full_ms; /* when all of them are there again */
	static unsigned left_out;
	int64_t now = now_us() / 1000;

	if (full_ms < now)
		full_ms = now;
	if (full_ms - now > (NOTES_MAX - 1) * NOTE_MS) {
		left_out++;
		return false;
	}
	full_ms += NOTE_MS;
	if (left_out > 0)
		fprintf(stderr, "hdcat: (%u lines are left out)\n", left_out);
	left_out = 0;
	return true;
}

void note(const struct hdcat *c, const char *fmt, ...)
{
	va_list args;

	if (c->quiet || !may_note())
		return;
	va_start(args, fmt);
	say(c, fmt, args);
	va_end(args);
}

void warn(const struct hdcat *c, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(c, fmt, args);
	va_end(args);
}

void fail(struct hdcat *c, enum status status, const char *fmt, ...)
{
	va_list args;

	if (c->status != STATUS_RUNNING)
		return; /* the first reason counts */
	c->status = status;
	va_start(args, fmt);
	say(c, fmt, args);
	va_end(args);
}

void end_state(struct libhd *h, enum libhd_state state, void *user)
{
	struct hdcat *c = user;

	if (state == LIBHD_PENDING)
		note(c, "the relay asks a person: %s", libhd_error(h));
	else if (state == LIBHD_FAILED)
		fail(c, STATUS_RELAY, "%s", libhd_error(h));
	else if (state == LIBHD_WAITING && c->was_open)
		note(c, "%s; trying again", libhd_error(h));
	else if (state == LIBHD_WAITING)
		fail(c, STATUS_RELAY, "%s", libhd_error(h));
	c->was_open |= state == LIBHD_OPEN;
}

static int identity(struct hdcat *c, struct libhd_identity **ret)
{
	int r = c->identity_file != NULL
			? libhd_identity_open(c->identity_file, ret)
			: libhd_identity_new(ret);

	if (r < 0) {
		fail(c, STATUS_USAGE, "%s: %s%s",
		     c->identity_file != NULL ? c->identity_file : "a key",
		     strerror(-r),
		     r == -EPERM ? " (others may read it: chmod 600)" : "");
		return -1;
	}
	c->self = *libhd_identity_key(*ret);
	return 0;
}

/* Libhd does not say what of a conf is mistyped: what it is well without. */
static const char *mistyped(struct libhd_conf conf)
{
	struct libhd *h = NULL;
	int r;

	conf.ca_file = conf.credential = NULL;
	r = libhd_new(&conf, NULL, NULL, &h);
	libhd_free(&h);
	if (r == 0)
		return "that is no credential, or it is mistyped";
	conf.invitation = NULL;
	r = libhd_new(&conf, NULL, NULL, &h);
	libhd_free(&h);
	if (r == 0)
		return "that is no invitation, or it is mistyped";
	return "a relay is HOST, HOST:PORT, [IPV6] or [IPV6]:PORT";
}

int end_open(struct hdcat *c, const struct libhd_relay *relays,
	     unsigned n_relays, bool listens,
	     const struct libhd_events *events)
{
	struct libhd_identity *id = NULL;
	struct libhd_conf conf = {
		.size = sizeof(conf),
		.relays = relays,
		.n_relays = n_relays,
		.ca_file = c->ca_file,
		.invitation = c->invitation,
		.credential = c->credential,
		.agent = "hdcat/" PACKAGE_VERSION,
		.wants_knocks = listens,
		.streams = true,
	};
	int r;

	if (identity(c, &id) < 0)
		return -1;
	conf.identity = id;
	r = libhd_new(&conf, events, c, &c->h);
	if (r == -EINVAL)
		fail(c, STATUS_USAGE, "%s", mistyped(conf));
	else if (r == -EBADMSG)
		fail(c, STATUS_USAGE, "%s: no certificate in it", c->ca_file);
	else if (r < 0)
		fail(c, STATUS_USAGE, "%s: %s",
		     r == -ENOENT || r == -EACCES ? c->ca_file : "an endpoint",
		     strerror(-r));
	libhd_identity_free(&id);
	return r < 0 ? -1 : 0;
}

void end_turn(struct hdcat *c, struct pollfd *fds, unsigned n,
	      int64_t until_ms)
{
	int64_t left = -1;

	if (until_ms != 0) {
		left = until_ms - now_us() / 1000;
		left = left < 0 ? 0 : left;
	}
	for (unsigned i = 0; i < n; i++)
		fds[i].revents = 0;
	if (libhd_poll(c->h, fds, n, (int)left) == -ENOTCONN)
		fail(c, STATUS_RELAY, "%s", libhd_error(c->h));
}

void end_finish(struct hdcat *c)
{
	int64_t until = now_us() / 1000 + FINISH_MS;

	libhd_stream_close(&c->s);
	libhd_forbid(&c->peer);
	while (c->h != NULL && libhd_unsent_bytes(c->h) > 0 &&
	       now_us() / 1000 < until &&
	       libhd_state_of(c->h) == LIBHD_OPEN)
		(void)libhd_poll(c->h, NULL, 0, 100);
	libhd_free(&c->h);
}
