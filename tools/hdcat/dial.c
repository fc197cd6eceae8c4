/* SPDX-License-Identifier: MIT */
/* tools/hdcat/dial.c - reach the listener of a ticket: for input and output, or
 * to see how far it is. */
#include "tools/hdcat/hdcat.h"
#include "tools/hdcat/line.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PING_MS 1000
#define KNOCK_MS 5000
#define KNOCKS 2 /* without an answer; then another relay */

/* The listener is at one of its relays: the one that it found first, or has
 * changed to. Returns whether there is another one to look at. */
static bool elsewhere(struct hdcat *c)
{
	if (libhd_relay_at(c->h) + 1 >= c->ticket.n_relays)
		return false;
	libhd_next_relay(c->h);
	return true;
}

static void on_state(struct libhd *h, enum libhd_state state, void *user)
{
	struct hdcat *c = user;

	c->knocks = 0;
	if (state == LIBHD_WAITING && c->was_open && c->peer == NULL &&
	    c->looks)
		fail(c, STATUS_PEER, "the listener is not found; %s",
		     libhd_error(h));
	end_state(h, state, user);
}

static void on_peer(struct libhd *h, struct libhd_peer *peer,
		    enum libhd_peer_state state, void *user)
{
	struct hdcat *c = user;

	(void)h;
	if (state == LIBHD_PEER_NOT_HERE && c->peer == NULL) {
		c->looks = elsewhere(c);
		if (!c->looks)
			fail(c, STATUS_PEER, "nobody listens with this ticket");
	}
	if (state == LIBHD_PEER_REFUSED)
		fail(c, STATUS_RELAY, "the relay lets us speak with nobody");
	else if (state == LIBHD_PEER_GONE && c->stays)
		note(c, "the listener is gone; waiting for it");
	else if (state == LIBHD_PEER_HERE && c->stays)
		note(c, "the listener is here");
	else if (state == LIBHD_PEER_HERE && c->peer == NULL)
		c->peer = peer;
}

static const struct libhd_events events = {
	.size = sizeof(events),
	.state = on_state,
	.peer = on_peer,
	.stream = end_stream,
	.stream_ready = end_ready,
};

static int knock(struct hdcat *c, struct libhd_peer *listener)
{
	uint8_t proof[LIBHD_TICKET_NOTE_BYTES];

	libhd_ticket_note(&c->ticket, &c->self, proof);
	return libhd_knock(listener, proof, sizeof(proof));
}

int dial_reach(struct hdcat *c)
{
	int64_t until = now_us() / 1000 + (int64_t)c->timeout_s * 1000;
	struct libhd_peer *listener;

	if (end_open(c, c->ticket.relays, c->ticket.n_relays, false, &events) <
	    0)
		return -1;
	if (libhd_allow(c->h, &c->ticket.listener, &listener) < 0 ||
	    knock(c, listener) < 0) {
		fail(c, STATUS_USAGE, "the ticket has no key that can be used");
		return -1;
	}
	while (c->status == STATUS_RUNNING && c->peer == NULL) {
		end_turn(c, NULL, 0, until);
		if (now_us() / 1000 >= until)
			fail(c, STATUS_PEER, "the listener does not let us in");
	}
	return c->peer != NULL && c->status == STATUS_RUNNING ? 0 : -1;
}

int64_t dial_keep(struct hdcat *c)
{
	int64_t now = now_us() / 1000;

	if (libhd_peer_here(c->peer) || libhd_state_of(c->h) != LIBHD_OPEN)
		return 0;
	if (c->knock_ms > now)
		return c->knock_ms;
	if (c->knocks++ == KNOCKS)
		libhd_next_relay(c->h);
	else
		(void)knock(c, c->peer);
	c->knock_ms = now + KNOCK_MS;
	return c->knock_ms;
}

static int reach(struct hdcat *c, const char *verb)
{
	int r = -1;

	if (dial_reach(c) < 0)
		return -1;
	r = libhd_stream_open(c->peer, &c->s);
	if (r == 0)
		r = line_write(c->s, LINE_BEGIN "%s", verb);
	if (r == 0)
		return 0;
	fail(c, STATUS_BROKEN, "no stream: %s", strerror(-r));
	return -1;
}

int run_dial(struct hdcat *c)
{
	if (reach(c, "cat") == 0)
		pipe_run(c);
	end_finish(c);
	return c->status;
}

/* ---- ping ---- */

static void answer(struct hdcat *c, int64_t sent, unsigned i)
{
	int64_t until = now_us() / 1000 + (int64_t)c->timeout_s * 1000;
	char v[8];
	ssize_t n;

	while ((n = libhd_stream_read(c->s, v, sizeof(v))) == -EAGAIN &&
	       c->status == STATUS_RUNNING && now_us() / 1000 < until)
		end_turn(c, NULL, 0, until);
	if (n != 1)
		fail(c, STATUS_BROKEN, "no answer%s%s",
		     n < 0 && n != -EAGAIN ? ": " : "",
		     n < 0 && n != -EAGAIN ? strerror((int)-n) : "");
	else
		printf("%u: %.3f ms\n", i, (double)(now_us() - sent) / 1000);
	fflush(stdout);
}

int run_ping(struct hdcat *c)
{
	int r = reach(c, "png");

	for (unsigned i = 1; r == 0 && c->status == STATUS_RUNNING; i++) {
		int64_t sent = now_us();

		if (libhd_stream_write(c->s, "p", 1) == 1)
			answer(c, sent, i);
		else
			fail(c, STATUS_BROKEN, "the listener is gone");
		if (i == c->count && c->status == STATUS_RUNNING)
			c->status = STATUS_OK;
		while (c->status == STATUS_RUNNING &&
		       now_us() - sent < PING_MS * 1000)
			end_turn(c, NULL, 0, sent / 1000 + PING_MS);
	}
	end_finish(c);
	return c->status;
}
