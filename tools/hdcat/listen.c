/* SPDX-License-Identifier: MIT */
/* tools/hdcat/listen.c - print a ticket, wait for somebody who has it. One
 * comes in; pings are answered before. */
#include "tools/hdcat/hdcat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool on_knock(struct libhd *h, const struct libhd_key *from,
		     const void *text, size_t len_bytes, void *user)
{
	struct hdcat *c = user;

	(void)h;
	if (c->s != NULL ||
	    !libhd_ticket_admits(&c->ticket, from, text, len_bytes)) {
		note(c, "somebody without the ticket, or a second one, was "
			"refused");
		return false;
	}
	return true;
}

/* Until it is known what it is for, its user data is NULL; then it echoes. */
static void on_stream(struct libhd *h, struct libhd_peer *from,
		      struct libhd_stream *s, void *user)
{
	(void)h, (void)from, (void)user;
	libhd_stream_set_user(s, NULL);
}

static void echo(struct libhd_stream *s)
{
	char v[512];
	ssize_t n;

	while ((n = libhd_stream_read(s, v, sizeof(v))) > 0)
		(void)libhd_stream_write(s, v, (size_t)n);
	if (n != -EAGAIN)
		libhd_stream_close(&s);
}

/* The beginning, which comes in one piece, for it is short. */
static void hello(struct hdcat *c, struct libhd_stream *s)
{
	char v[HELLO_BYTES];
	ssize_t n = libhd_stream_read(s, v, sizeof(v));

	if (n == -EAGAIN)
		return;
	if (n == HELLO_BYTES && memcmp(v, HELLO_PING, HELLO_BYTES) == 0) {
		libhd_stream_set_user(s, c);
		echo(s);
	} else if (n == HELLO_BYTES && c->s == NULL &&
		   memcmp(v, HELLO_CAT, HELLO_BYTES) == 0) {
		c->s = s;
		c->peer = libhd_stream_peer(s);
	} else {
		libhd_stream_close(&s);
	}
}

static void on_ready(struct libhd *h, struct libhd_stream *s, void *user)
{
	struct hdcat *c = user;

	(void)h;
	if (s == c->s)
		return; /* pipe_run() looks itself */
	if (libhd_stream_user(s) != NULL)
		echo(s);
	else
		hello(c, s);
}

/* A file that was there keeps its mode when it is opened. */
static int own(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? fchmod(fd, 0600)
							  : 0;
}

static int ticket_write(struct hdcat *c, const char *text)
{
	int fd = open(c->ticket_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		      0600);

	if (fd < 0 || own(fd) < 0 || dprintf(fd, "%s\n", text) < 0 ||
	    close(fd) < 0) {
		fail(c, STATUS_USAGE, "%s: %s", c->ticket_file,
		     strerror(errno));
		return -1;
	}
	return 0;
}

static void on_state(struct libhd *h, enum libhd_state state, void *user)
{
	char text[LIBHD_TICKET_TEXT_BYTES];
	struct hdcat *c = user;

	end_state(h, state, user);
	if (state != LIBHD_OPEN || c->ticket_told)
		return;
	c->ticket_told = true;
	(void)libhd_ticket_new(h, &c->ticket);
	libhd_ticket_text(&c->ticket, text);
	if (c->ticket_file != NULL && ticket_write(c, text) < 0)
		return;
	if (c->ticket_file == NULL)
		fprintf(stderr, "%s\n", text);
}

int run_listen(struct hdcat *c)
{
	static const struct libhd_events events = {
		.size = sizeof(events),
		.state = on_state,
		.knock = on_knock,
		.stream = on_stream,
		.stream_ready = on_ready,
	};

	if (end_open(c, c->relay, c->has_relay_key ? &c->relay_key : NULL, true,
		     &events) < 0)
		return c->status;
	while (c->status == STATUS_RUNNING && c->s == NULL)
		end_turn(c, NULL, 0, 0);
	if (c->s != NULL)
		pipe_run(c);
	end_finish(c);
	return c->status;
}
