/* SPDX-License-Identifier: MIT */
/* tools/hdcat/forward.c - forward: who comes to a socket here is led to what
 * the listener reaches. expose: who comes to a socket over there is led to what
 * is reached from here. socks: as forward, and who comes says where to. */
#include "tools/hdcat/conn.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define WAYS_MAX 16
#define RETRY_MS 5000

struct way { /* of forward or expose */
	struct hdcat *c;
	struct target at, to;
	struct door *door; /* forward */
	struct conn *kept; /* expose: the listener's socket is open as long */
	char text[TARGET_TEXT_BYTES]; /* expose: what it calls that */
	int64_t retry_ms;
	bool stood;
};

static struct way ways[WAYS_MAX];
static unsigned n_ways;

static int ways_parse(struct hdcat *c, char **words, unsigned n)
{
	if (n == 0 || n > WAYS_MAX) {
		fail(c, STATUS_USAGE, "1 to %d of [BIND:]PORT:HOST:PORT, "
				      "please", WAYS_MAX);
		return -1;
	}
	for (; n_ways < n; n_ways++) {
		struct way *w = &ways[n_ways];

		w->c = c;
		if (forward_parse(words[n_ways], &w->at, &w->to) == 0)
			continue;
		fail(c, STATUS_USAGE, "not [BIND:]PORT:HOST:PORT: %s",
		     words[n_ways]);
		return -1;
	}
	return 0;
}

/* ---- forward ---- */

static struct conn *lead(struct hdcat *c, int fd, const struct target *to)
{
	char text[TARGET_TEXT_BYTES];
	struct libhd_stream *s = NULL;
	struct conn *k;

	if (libhd_stream_open(c->peer, &s) < 0) {
		flow_evict(c); /* there is room for the next one */
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	k = conn_new(c, fd, s);
	if (k == NULL)
		return NULL;
	k->answers = true;
	k->to = *to;
	if (line_write(s, LINE_BEGIN "dial %s", target_text(to, text)) == 0)
		return k;
	conn_reset(k);
	return NULL;
}

static struct conn *came(struct door *d, int fd)
{
	return lead(d->c, fd, d->to);
}

static int door(struct hdcat *c, const struct target *at,
		struct conn *(*on)(struct door *d, int fd), struct door **ret)
{
	char text[TARGET_TEXT_BYTES];
	int r = door_open(c, at, on, ret);

	if (r == 0)
		return 0;
	fail(c, STATUS_USAGE, "%s: %s", target_text(at, text), strerror(-r));
	return -1;
}

static int doors(struct hdcat *c)
{
	for (unsigned i = 0; i < n_ways; i++) {
		struct way *w = &ways[i];

		if (door(c, &w->at, came, &w->door) < 0)
			return -1;
		w->door->to = &w->to;
	}
	return 0;
}

static void doors_tell(struct hdcat *c)
{
	char at[TARGET_TEXT_BYTES], to[TARGET_TEXT_BYTES];

	for (unsigned i = 0; i < n_ways; i++)
		note(c, "%s leads to %s over there",
		     target_text(&ways[i].door->at, at),
		     target_text(&ways[i].to, to));
}

/* ---- all three ---- */

static int64_t first(int64_t a, int64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

static int64_t expose_keep(struct hdcat *c);

static void run(struct hdcat *c)
{
	c->stays = true;
	while (c->status == STATUS_RUNNING) {
		int64_t until = first(dial_keep(c), expose_keep(c));

		loop_turn(c, conns_deadline_ms(c, until));
		conns_expire(c);
	}
}

static int end(struct hdcat *c)
{
	for (unsigned i = 0; i < n_ways; i++)
		door_close(&ways[i].door);
	conns_free(c);
	end_finish(c);
	loop_close();
	return c->status;
}

int run_forward(struct hdcat *c, char **words, unsigned n)
{
	c->status_at_signal = STATUS_OK;
	if (ways_parse(c, words, n) == 0 && loop_open(c) == 0 &&
	    doors(c) == 0 && dial_reach(c) == 0) {
		doors_tell(c);
		run(c);
	}
	return end(c);
}

/* ---- expose ---- */

void way_lost(struct way *w)
{
	w->kept = NULL;
	w->retry_ms = now_us() / 1000 + RETRY_MS;
}

static void answered(struct conn *k)
{
	struct way *w = k->way;
	char to[TARGET_TEXT_BYTES];

	if (strncmp(k->line.v, "ok ", 3) == 0 &&
	    strlen(k->line.v + 3) < sizeof(w->text)) {
		strcpy(w->text, k->line.v + 3);
		w->stood = true;
		k->state = CONN_KEPT;
		k->deadline_ms = 0;
		note(k->c, "%s over there leads to %s here", w->text,
		     target_text(&w->to, to));
		conn_run(k);
		return;
	}
	if (w->stood) /* its old socket may not have ended yet */
		note(k->c, "the other end: %s", k->line.v);
	else
		fail(k->c, STATUS_PEER, "the other end: %s", k->line.v);
	conn_reset(k);
}

static void expose_begin(struct way *w)
{
	struct libhd_stream *s = NULL;
	char text[TARGET_TEXT_BYTES];

	w->retry_ms = now_us() / 1000 + RETRY_MS;
	if (libhd_stream_open(w->c->peer, &s) < 0)
		return;
	w->kept = conn_new(w->c, -1, s);
	if (w->kept == NULL)
		return;
	w->kept->way = w;
	w->kept->said = answered;
	if (line_write(s, LINE_BEGIN "bind %s", target_text(&w->at, text)) < 0)
		conn_reset(w->kept);
}

/* Those that have none are asked for (again). Returns when to look again. */
static int64_t expose_keep(struct hdcat *c)
{
	int64_t now = now_us() / 1000, next = 0;

	for (unsigned i = 0; i < n_ways; i++) {
		struct way *w = &ways[i];

		if (w->door != NULL || w->kept != NULL)
			continue;
		if (w->retry_ms <= now && libhd_peer_here(c->peer))
			expose_begin(w);
		if (w->kept == NULL)
			next = first(next, w->retry_ms <= now ? now + RETRY_MS
							      : w->retry_ms);
	}
	return next;
}

/* The listener leads somebody here. It reaches what was exposed, at the place
 * that it was exposed at. */
static void led(struct conn *k)
{
	const char *from;

	if (!line_verb(&k->line, "from", &from)) {
		conn_reset(k);
		return;
	}
	for (unsigned i = 0; i < n_ways; i++) {
		if (!ways[i].stood || strcmp(ways[i].text, from) != 0)
			continue;
		k->to = ways[i].to;
		dialer_begin(k);
		return;
	}
	conn_refuse(k, "that is not exposed");
}

int run_expose(struct hdcat *c, char **words, unsigned n)
{
	c->status_at_signal = STATUS_OK;
	c->hello = led;
	if (ways_parse(c, words, n) == 0 && loop_open(c) == 0 &&
	    dial_reach(c) == 0)
		run(c);
	return end(c);
}

/* ---- socks ---- */

int socks_lead(struct conn *k)
{
	char text[TARGET_TEXT_BYTES];

	if (libhd_stream_open(k->c->peer, &k->s) < 0)
		return -ENOMEM;
	libhd_stream_set_user(k->s, k);
	k->answers = k->socks = true;
	return line_write(k->s, LINE_BEGIN "dial %s",
			  target_text(&k->to, text));
}

static struct conn *socks_came(struct door *d, int fd)
{
	struct conn *k = conn_new(d->c, fd, NULL);

	if (k == NULL)
		return NULL;
	k->state = CONN_SOCKS;
	if (watch_set(&k->watch, EPOLLIN) < 0)
		conn_reset(k);
	return NULL;
}

int run_socks(struct hdcat *c, const char *word)
{
	char text[TARGET_TEXT_BYTES];
	struct door *d = NULL;
	struct target at;

	c->status_at_signal = STATUS_OK;
	if (target_parse(word, strlen(word), TARGET_LISTEN, &at) < 0 || at.udp)
		fail(c, STATUS_USAGE, "not [BIND:]PORT: %s", word);
	else if (loop_open(c) == 0 && door(c, &at, socks_came, &d) == 0 &&
		 dial_reach(c) == 0) {
		note(c, "SOCKS5 at %s", target_text(&d->at, text));
		run(c);
	}
	door_close(&d);
	return end(c);
}
