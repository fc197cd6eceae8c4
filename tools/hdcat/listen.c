/* SPDX-License-Identifier: MIT */
/* tools/hdcat/listen.c - print a ticket, wait for those who have it. For
 * standard input and output one comes in; pings are answered before. */
#include "tools/hdcat/files.h"
#include "tools/hdctl/qr.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void end_stream(struct libhd *h, struct libhd_peer *from,
		struct libhd_stream *s, void *user)
{
	struct hdcat *c = user;

	(void)h, (void)from;
	libhd_stream_set_user(s, NULL);
	if (c->hello != NULL)
		(void)conn_new(c, -1, s);
	else
		libhd_stream_close(&s); /* we have asked for none */
}

void end_ready(struct libhd *h, struct libhd_stream *s, void *user)
{
	struct conn *k = libhd_stream_user(s);

	(void)h, (void)user;
	if (k != NULL) /* pipe_run() looks itself */
		conn_run(k);
}

/* Standard input and output belong to the first. */
static void cat(struct conn *k)
{
	struct hdcat *c = k->c;

	c->s = k->s;
	c->peer = libhd_stream_peer(c->s);
	libhd_stream_set_user(c->s, NULL);
	k->s = NULL;
	conn_reset(k);
}

static void ping(struct conn *k)
{
	k->state = CONN_ECHO;
	k->deadline_ms = 0;
	conn_run(k);
}

static void hello(struct conn *k)
{
	bool leads = k->c->purpose == FOR_CONNECTIONS;
	const char *arg;

	if (line_verb(&k->line, "png", &arg))
		ping(k);
	else if (line_verb(&k->line, "cat", &arg) &&
		 k->c->purpose == FOR_CAT && k->c->s == NULL)
		cat(k);
	else if (line_verb(&k->line, "dial", &arg) && leads)
		serve_dial(k, arg);
	else if (line_verb(&k->line, "bind", &arg) && leads)
		serve_listen(k, arg);
	else if (line_verb(&k->line, "send", &arg) &&
		 k->c->purpose == FOR_FILES)
		inflow_begin(k);
	else if (line_verb(&k->line, "cat", &arg))
		conn_reset(k); /* that has no answer */
	else
		conn_refuse(k, "that is not what the listener is for");
}

/* A file that was there keeps its mode when it is opened. */
static int own(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? fchmod(fd, 0600)
							  : 0;
}

int ticket_read(const char *path, char ret[LIBHD_TICKET_TEXT_BYTES])
{
	bool well;
	int why;
	FILE *f;

	errno = 0;
	f = fopen(path, "re");
	well = f != NULL && fgets(ret, LIBHD_TICKET_TEXT_BYTES, f) != NULL;
	why = errno;
	if (f != NULL)
		fclose(f);
	errno = why;
	if (!well)
		return -1;
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
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

/* The secret of the ticket that was there, if it was ours. */
static void ticket_keep(struct hdcat *c)
{
	char text[LIBHD_TICKET_TEXT_BYTES];
	struct libhd_ticket old;

	if (ticket_read(c->ticket_file, text) == 0 &&
	    libhd_ticket_parse(text, &old) == 0 &&
	    memcmp(&old.listener, &c->self, sizeof(c->self)) == 0)
		memcpy(c->ticket.secret, old.secret, sizeof(old.secret));
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
	if (c->keeps_ticket)
		ticket_keep(c);
	libhd_ticket_text(&c->ticket, text);
	if (c->ticket_file != NULL && ticket_write(c, text) < 0)
		return;
	if (c->ticket_file == NULL)
		fprintf(stderr, "%s\n", text);
	if (c->qr)
		(void)qr_print(stderr, text, NULL); /* it fits, see main.c */
}

static void connections(struct hdcat *c)
{
	while (c->status == STATUS_RUNNING) {
		loop_turn(c, conns_deadline_ms(c, 0));
		conns_expire(c);
	}
	conns_free(c);
}

static void input_and_output(struct hdcat *c)
{
	while (c->status == STATUS_RUNNING && c->s == NULL) {
		end_turn(c, NULL, 0, conns_deadline_ms(c, 0));
		conns_expire(c);
	}
	if (c->s != NULL)
		pipe_run(c);
}

int run_listen(struct hdcat *c)
{
	static const struct libhd_events events = {
		.size = sizeof(events),
		.state = on_state,
		.knock = guest_knocks,
		.stream = end_stream,
		.stream_ready = end_ready,
	};

	c->hello = hello;
	c->status_at_signal = c->purpose == FOR_FILES && !c->keeps_on
				      ? STATUS_BROKEN
				      : STATUS_OK;
	if (c->purpose != FOR_CAT && loop_open(c) < 0)
		return c->status;
	if (end_open(c, c->relays, c->n_relays, true, &events) < 0)
		return c->status;
	if (c->purpose != FOR_CAT)
		connections(c);
	else
		input_and_output(c);
	end_finish(c);
	return c->status;
}

int run_receive(struct hdcat *c)
{
	int r = inbox_open(&c->inbox, c->into);

	if (r < 0) {
		fail(c, STATUS_USAGE, "%s: %s", c->into, strerror(-r));
		return c->status;
	}
	c->purpose = FOR_FILES;
	(void)run_listen(c);
	inbox_close(&c->inbox);
	return c->status;
}
