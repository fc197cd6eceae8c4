/* SPDX-License-Identifier: MIT */
/* tools/hdcat/serve.c - what a listener does for those it has let in: reaches
 * what --allow has, listens where --allow-listen has it. Nothing else. */
#include "tools/hdcat/conn.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static bool dial_allowed(const struct hdcat *c, const struct target *t)
{
	for (unsigned i = 0; i < c->allow.n; i++)
		if (target_allowed(&c->allow.v[i], t))
			return true;
	return false;
}

/* Where to listen is looked up here and now: * has no names in it, else a guest
 * with one whose servers are slow would hold up all others. */
static bool listen_allowed(const struct hdcat *c, const struct target *t)
{
	for (unsigned i = 0; i < c->allow_listen.n; i++) {
		const struct target *pattern = &c->allow_listen.v[i];

		if (target_allowed(pattern, t) &&
		    (strcmp(pattern->host, "*") != 0 || !target_is_name(t)))
			return true;
	}
	return false;
}

/* Returns 0: ret may be had; else it has been refused. */
static int may(struct conn *k, const char *text, enum target_kind kind,
	       struct target *ret)
{
	if (target_parse(text, strlen(text), kind, ret) < 0) {
		conn_refuse(k, "that is no address");
		return -EINVAL;
	}
	if (kind == TARGET_DIAL ? dial_allowed(k->c, ret)
				: listen_allowed(k->c, ret))
		return 0;
	note(k->c, "refused, for no %s has it: %s",
	     kind == TARGET_DIAL ? "--allow" : "--allow-listen", text);
	conn_refuse(k, "the listener does not allow that");
	return -EACCES;
}

void serve_dial(struct conn *k, const char *to)
{
	if (may(k, to, TARGET_DIAL, &k->to) == 0)
		dialer_begin(k);
}

/* Somebody has come to a socket that we have for a guest. */
static struct conn *came(struct door *d, int fd)
{
	struct libhd_peer *guest = libhd_stream_peer(d->kept->s);
	char text[TARGET_TEXT_BYTES];
	struct libhd_stream *s = NULL;
	struct conn *k;

	if (guest == NULL || libhd_stream_open(guest, &s) < 0) {
		flow_evict(d->c);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	k = conn_new(d->c, fd, s);
	if (k == NULL)
		return NULL;
	k->answers = true;
	k->to = d->at;
	if (line_write(s, LINE_BEGIN "from %s",
		       target_text(&d->at, text)) == 0)
		return k;
	conn_reset(k);
	return NULL;
}

void serve_listen(struct conn *k, const char *at)
{
	char text[TARGET_TEXT_BYTES];
	struct target t;
	int r;

	if (may(k, at, TARGET_LISTEN, &t) < 0)
		return;
	r = door_open(k->c, &t, came, &k->door);
	if (r < 0) {
		conn_refuse(k, strerror(-r));
		return;
	}
	k->door->kept = k;
	k->state = CONN_KEPT;
	k->deadline_ms = 0;
	if (line_write(k->s, "ok %s", target_text(&k->door->at, text)) < 0)
		conn_reset(k);
}
