/* SPDX-License-Identifier: MIT */
/* core/control/control_client.c - a connection to the control socket: lines in,
 * lines out. Everything of it is bounded: a line, the events that wait, and
 * there is one call at a time; what comes behind it stays in the kernel.
 *
 * Only hd_client_go_on() and what ends the main loop free a client; all else
 * marks it. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "core/base/clock.h"
#include "core/control/control.h"

enum {
	FIRST_BYTES = 1024,
	LINES_PER_TURN = 8, /* then others are served */
};

static struct hd_client *clients;
static unsigned n_clients;
static struct hd_client *long_line; /* whose line may be long; or NULL */
static bool deaf; /* answers go out, and no line begins a call any more */
static unsigned lines_per_turn = LINES_PER_TURN;

static void on_ready(void *client, uint32_t events);

unsigned hd_clients_n(void)
{
	return n_clients;
}

/* ---- life ---- */

struct hd_client *hd_client_new(int fd, const struct hd_who *who)
{
	struct hd_client *c = calloc(1, sizeof(*c));

	if (c == NULL || hd_main_watch(fd, EPOLLIN, on_ready, c) < 0) {
		free(c);
		close(fd);
		hd_fds_give(hd_who_fds(who));
		return NULL;
	}
	c->fd = fd;
	c->who = *who;
	c->next = clients;
	if (clients != NULL)
		clients->prev = c;
	clients = c;
	n_clients++;
	return c;
}

static void client_free(struct hd_client *c)
{
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		clients = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	n_clients--;
	if (c->call != NULL)
		hd_call_lost(c->call);
	hd_watch_end(c);
	hd_main_unwatch(c->fd);
	close(c->fd);
	hd_fds_give(hd_who_fds(&c->who));
	if (long_line == c)
		long_line = NULL;
	free(c->in);
	hd_json_free(&c->out);
	free(c);
	hd_control_ended();
}

void hd_clients_each(bool (*fn)(struct hd_client *c, void *arg), void *arg)
{
	struct hd_client *c = clients, *next;

	for (; c != NULL; c = next) {
		next = c->next;
		if (fn(c, arg))
			hd_client_go_on(c);
	}
}

void hd_clients_deaf(bool on)
{
	deaf = on;
	if (!on) /* there is no other turn */
		lines_per_turn = UINT_MAX;
}

void hd_clients_close(void)
{
	while (clients != NULL)
		client_free(clients);
}

void hd_clients_tick(uint64_t now_ms)
{
	struct hd_client *c = clients, *next;

	for (; c != NULL; c = next) {
		next = c->next;
		if (c->broken ||
		    (c->stalled_ms != 0 &&
		     now_ms - c->stalled_ms > HD_CONTROL_STALL_MS))
			client_free(c);
	}
}

/* ---- out ---- */

static size_t unsent(const struct hd_client *c)
{
	return c->out.len - c->out_off;
}

/* A watcher may read on and never be done. Once half of the buffer was sent,
 * moving the rest costs no more than sending did. */
static void drop_sent(struct hd_client *c)
{
	if (c->out_off == 0 || c->out_off < unsent(c))
		return;
	c->out.len -= c->out_off;
	memmove(c->out.text, c->out.text + c->out_off, c->out.len);
	c->out_off = 0;
}

void hd_client_send(struct hd_client *c, const char *line, size_t n)
{
	drop_sent(c);
	hd_json_put(&c->out, line, n);
	if (c->out.error != 0)
		c->broken = true;
}

/* Clients that read a byte now and then could hold an answer each: of all
 * but c, the one that has most to read is given up. */
static void bound_unread(const struct hd_client *c)
{
	struct hd_client *most = NULL;
	size_t sum = 0;

	for (struct hd_client *o = clients; o != NULL; o = o->next) {
		sum += unsent(o);
		if (o != c && (most == NULL || unsent(o) >= unsent(most)))
			most = o;
	}
	if (sum <= HD_CONTROL_UNREAD_MAX_BYTES || most == NULL)
		return;
	hd_json_free(&most->out);
	most->out_off = 0;
	most->broken = true; /* closed within a second */
}

void hd_client_take(struct hd_client *c, struct hd_json *out)
{
	if (out->error != 0) {
		c->broken = true;
	} else if (unsent(c) == 0) {
		hd_json_free(&c->out);
		c->out = *out;
		c->out.limit = 0;
		c->out_off = 0;
		*out = (struct hd_json){ 0 };
		bound_unread(c);
	} else {
		hd_client_send(c, out->text, out->len);
	}
}

static void send_out(struct hd_client *c)
{
	while (unsent(c) > 0 && !c->broken) {
		ssize_t n = send(c->fd, c->out.text + c->out_off, unsent(c),
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			if (c->stalled_ms == 0)
				c->stalled_ms = hd_clock_ms();
			return;
		}
		if (n < 0) {
			c->broken = true;
			return;
		}
		c->out_off += (size_t)n;
		c->stalled_ms = 0;
	}
	/* nothing waits, so nothing is kept: an answer may have been large */
	hd_json_free(&c->out);
	c->out_off = 0;
	c->stalled_ms = 0;
}

/* ---- in ---- */

static size_t line_limit(const struct hd_client *c)
{
	bool may = c->who.role >= HD_ROLE_OPERATE &&
		   (long_line == NULL || long_line == c);

	return may ? HD_CONTROL_LONG_MAX_BYTES : HD_CONTROL_LINE_MAX_BYTES;
}

static size_t unread(const struct hd_client *c)
{
	return c->in_len - c->in_off;
}

/* The end of the next line; NULL: it is not there yet. No byte is looked at
 * twice. */
static char *line_end(struct hd_client *c)
{
	size_t n = c->in_len - c->in_seen;
	char *end = n > 0 ? memchr(c->in + c->in_seen, '\n', n) : NULL;

	c->in_seen = end != NULL ? (size_t)(end - c->in) : c->in_len;
	return end;
}

static void forget_lines(struct hd_client *c)
{
	c->in_len -= c->in_off;
	c->in_seen -= c->in_off;
	memmove(c->in, c->in + c->in_off, c->in_len);
	c->in_off = 0;
}

static bool make_room(struct hd_client *c)
{
	size_t size = c->in_size > 0 ? 2 * c->in_size : FIRST_BYTES;

	if (c->in_off > 0)
		forget_lines(c);
	if (c->in_len < c->in_size)
		return true;
	size = HD_MIN(size, line_limit(c) + 1);
	char *in = realloc(c->in, size);

	if (in == NULL) {
		c->broken = true;
		return false;
	}
	c->in = in;
	c->in_size = size;
	if (size > HD_CONTROL_LINE_MAX_BYTES + 1)
		long_line = c;
	return true;
}

/* A long line was dealt with: the next client may send one. */
static void give_back(struct hd_client *c)
{
	if (long_line != c || unread(c) > 0)
		return;
	long_line = NULL;
	free(c->in);
	c->in = NULL;
	c->in_size = 0;
	c->in_off = c->in_len = c->in_seen = 0;
}

/* More must not come: a line is too long, or stands before much else. */
static bool is_full(struct hd_client *c)
{
	return unread(c) > line_limit(c) ||
	       (unread(c) > HD_CONTROL_LINE_MAX_BYTES && line_end(c) != NULL);
}

void hd_client_receive(struct hd_client *c)
{
	while (!is_full(c) && make_room(c)) {
		ssize_t n = recv(c->fd, c->in + c->in_len,
				 c->in_size - c->in_len, MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			c->broken = true;
		if (n <= 0) {
			c->ended = true;
			return;
		}
		c->in_len += (size_t)n;
	}
}

static void too_long(struct hd_client *c)
{
	if (!c->skipping)
		hd_client_refuse(
			c, "null", "too_long",
			"a line has at most 65536 bytes; 40 MiB from one "
			"operator at a time");
	c->skipping = true;
	c->in_off = c->in_seen = c->in_len;
	give_back(c);
}

/* The next line, if it is all there. Returns whether there was one. */
static bool next_line(struct hd_client *c)
{
	char *end = line_end(c);

	if (end == NULL && is_full(c))
		too_long(c);
	if (end == NULL)
		return false;
	char *line = c->in + c->in_off;
	size_t n = (size_t)(end - line);

	if (c->skipping)
		c->skipping = false;
	else if (n > 0)
		hd_client_request(c, line, n);
	c->in_off += n + 1;
	c->in_seen = c->in_off;
	give_back(c);
	return true;
}

/* ---- what is due ---- */

static bool is_busy(const struct hd_client *c)
{
	return c->call != NULL || unsent(c) > 0;
}

/* A line is there for which this turn had no time. */
static bool has_more(struct hd_client *c)
{
	return !is_busy(c) && line_end(c) != NULL;
}

static void wait_for(struct hd_client *c)
{
	bool reads = !c->ended && !is_full(c);
	bool more = has_more(c);
	bool writes = unsent(c) > 0 || more;

	/* EPOLLOUT waits until it has read most of what the kernel holds */
	if (more && c->stalled_ms == 0)
		c->stalled_ms = hd_clock_ms();
	if (hd_main_watch(c->fd,
			  (reads ? EPOLLIN : 0u) | (writes ? EPOLLOUT : 0u),
			  on_ready, c) < 0)
		c->broken = true;
}

static void take_lines(struct hd_client *c)
{
	unsigned n = lines_per_turn;

	while (!deaf && n-- > 0 && !is_busy(c) && !c->broken && next_line(c))
		send_out(c);
}

void hd_client_go_on(struct hd_client *c)
{
	if (c->working)
		return; /* inside a call of it, further up */
	c->working = true;
	send_out(c);
	take_lines(c);
	if (!c->broken && unsent(c) > 0)
		send_out(c);
	c->working = false;
	c->broken |= c->gone; /* what it asked for in time has begun */
	if (!c->broken)
		wait_for(c);
	/* the end of what it sends is not the end of what it reads */
	if (c->broken ||
	    (c->ended && !is_busy(c) && !has_more(c) && !c->watching))
		client_free(c);
}

static void on_ready(void *client, uint32_t events)
{
	struct hd_client *c = client;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		hd_client_receive(c);
	c->gone = (events & (EPOLLHUP | EPOLLERR)) != 0;
	hd_client_go_on(c);
}
