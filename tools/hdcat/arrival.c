/* SPDX-License-Identifier: MIT */
/* tools/hdcat/arrival.c - a file that is offered, until it is there.
 *
 *   offer --> LOOKING --> WANTED --GO--> GOING --END--> OVER
 *     |          |           `---SKIP, DROP------------> ^
 *     |          `-- refused --------------------------> |
 *     `----> DIRECTORY -- its turn --------------------> '
 *
 * Offers are looked at as they come, the others wait for their turn: the first
 * of the list has it. */
#include "tools/hdcat/files.h"

#include <errno.h>
#include <hyper-derp/whole.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void arrival_release(struct arrival *a)
{
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
	sum_free(&a->sum);
}

static void pop(struct inflow *in)
{
	struct arrival *a = in->first;

	in->first = a->next;
	if (in->first == NULL)
		in->last = NULL;
	in->n--;
	arrival_release(a);
	free(a->name);
	free(a);
}

void arrivals_free(struct inflow *in)
{
	while (in->first != NULL)
		pop(in);
}

static void over(struct arrival *a)
{
	arrival_release(a);
	a->state = ARRIVAL_OVER;
}

static void refuse(struct conn *k, struct arrival *a, const char *why)
{
	char name[SHOWN_BYTES];

	note(k->c, "%s: not taken: %s", shown(a->name, strlen(a->name), name),
	     why);
	record_refused(&k->in->out, a->number, why);
	k->in->refused++;
	over(a);
}

/* ---- offers ---- */

static struct arrival *append(struct inflow *in, const struct offer *o)
{
	struct arrival *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->fd = -1;
	a->o = *o;
	a->o.name = a->name = strdup(o->name);
	if (a->name == NULL) {
		free(a);
		return NULL;
	}
	a->number = in->numbers++;
	if (in->last != NULL)
		in->last->next = a;
	else
		in->first = a;
	in->last = a;
	in->n++;
	return a;
}

static void want(struct conn *k, struct arrival *a)
{
	struct want w = { .number = a->number };
	uint64_t had = a->sum != NULL ? a->sum->n : 0;
	const char *no = a->whole ? NULL : room_for(k, a->o.size - had);
	struct sum empty;

	if (no != NULL) {
		refuse(k, a, no);
		return;
	}
	if (a->sum == NULL) {
		sum_reset(&empty);
		sum_get(&empty, w.hash);
	} else {
		sum_get(a->sum, w.hash);
		w.offset = a->had = had;
	}
	if (a->whole)
		w.flags = (uint8_t)(WANT_WHOLE | (k->c->inbox.force
							  ? WANT_MAY_REPLACE
							  : 0));
	record_want(&k->in->out, &w);
	a->state = ARRIVAL_WANTED;
}

/* Of a sender that is gone, has come again, or says nothing. */
static bool may_be_taken(const struct conn *o, const struct conn *k)
{
	const struct libhd_peer *peer = libhd_stream_peer(o->s);

	return peer == NULL || !libhd_peer_here(peer) ||
	       peer == libhd_stream_peer(k->s) ||
	       now_us() / 1000 - o->in->heard_ms > QUIET_MS;
}

/* Whoever came before us and writes to it lets go. Returns whether somebody
 * has. */
static bool take_over(struct conn *k, const char *name)
{
	bool ret = false;

	for (struct conn *o = k->c->conns; o != NULL; o = o->next) {
		if (o->in == NULL || o == k || !may_be_taken(o, k))
			continue;
		for (struct arrival *a = o->in->first; a != NULL; a = a->next) {
			if (a->fd < 0 || strcmp(a->name, name) != 0)
				continue;
			arrival_release(a);
			o->in->taken = o->again = ret = true;
		}
	}
	return ret;
}

static int find(struct conn *k, struct arrival *a)
{
	int r = inbox_find(&k->c->inbox, &a->o, &a->fd, &a->whole);

	if (r == -EBUSY && take_over(k, a->name))
		r = inbox_find(&k->c->inbox, &a->o, &a->fd, &a->whole);
	return r;
}

/* A part that is longer than what is offered is of something else. */
static bool of_use(const struct arrival *a)
{
	struct stat st;

	return a->whole || (fstat(a->fd, &st) == 0 &&
			    (uint64_t)st.st_size <= a->o.size);
}

static int look_begin(struct conn *k, struct arrival *a)
{
	int r = find(k, a);

	if (r < 0) {
		refuse(k, a, inbox_error(r));
		return 0;
	}
	if (a->fd < 0 || !of_use(a)) {
		want(k, a);
		return 0;
	}
	a->sum = sum_new();
	return a->sum != NULL ? 0 : -ENOMEM;
}

int arrival_offer(struct conn *k, const struct record *r)
{
	struct inflow *in = k->in;
	char name[NAME_BYTES + 1];
	struct arrival *a;
	struct offer o;

	if (in->n == OFFERS_MAX || offer_parse(r, name, &o) < 0)
		return -EPROTO;
	a = append(in, &o);
	if (a == NULL)
		return -ENOMEM;
	if (!o.is_dir)
		return look_begin(k, a);
	a->state = ARRIVAL_DIRECTORY;
	return 0;
}

int arrival_look(struct conn *k)
{
	struct arrival *a = k->in->last;
	struct stat st;
	int r;

	r = fstat(a->fd, &st) < 0 ? -errno
				  : sum_file(a->sum, a->fd,
					     (uint64_t)st.st_size);
	if (r < 0)
		refuse(k, a, inbox_error(r));
	else if (r > 0)
		want(k, a);
	return 0;
}

/* ---- turns ---- */

static void directory(struct conn *k, struct arrival *a)
{
	static const uint8_t none[HASH_BYTES];
	int r = inbox_dir(&k->c->inbox, &a->o);

	if (r < 0) {
		refuse(k, a, inbox_error(r));
		return;
	}
	record_done(&k->in->out, a->number, none);
	over(a);
}

int arrivals_turn(struct conn *k)
{
	struct inflow *in = k->in;

	while (in->first != NULL && records_room(&in->out)) {
		if (in->first->state == ARRIVAL_DIRECTORY)
			directory(k, in->first);
		if (in->first->state != ARRIVAL_OVER)
			return 0;
		pop(in);
	}
	return 0;
}

static struct arrival *first(struct conn *k, enum arrival_state state)
{
	struct arrival *a = k->in->first;

	return a != NULL && a->state == state ? a : NULL;
}

static int part_open(struct conn *k, struct arrival *a)
{
	int r = inbox_part(&k->c->inbox, &a->o, &a->fd);

	if (r == -EBUSY && take_over(k, a->name))
		r = inbox_part(&k->c->inbox, &a->o, &a->fd);
	return r;
}

static int begin_anew(struct conn *k, struct arrival *a)
{
	int r = 0;

	if (a->whole && room_for(k, a->o.size) != NULL)
		return -ENOSPC; /* the old one stays until the end */
	if (a->whole)
		arrival_release(a);
	if (a->fd < 0)
		r = part_open(k, a);
	if (r == 0 && ftruncate(a->fd, 0) < 0)
		r = -errno;
	if (r == 0 && a->sum == NULL)
		a->sum = sum_new();
	if (r == 0 && a->sum == NULL)
		r = -ENOMEM;
	if (r == 0)
		sum_reset(a->sum);
	return r;
}

/* What was found to be in the way since the offer is the disk's doing: it is
 * refused, and what comes is not written. */
int arrival_go(struct conn *k, const struct record *r)
{
	struct arrival *a = first(k, ARRIVAL_WANTED);
	uint64_t offset = 0;
	int e = 0;

	if (a == NULL)
		return -EPROTO;
	for (unsigned i = 0; i < r->n; i++)
		offset = offset << 8 | r->body[i];
	if (offset != 0 && (offset != a->had || a->whole))
		return -EPROTO;
	if (a->whole && !k->c->inbox.force)
		return -EPROTO;
	if (offset == 0)
		e = begin_anew(k, a);
	a->state = ARRIVAL_GOING;
	if (e < 0 && e != -ENOMEM) {
		refuse(k, a, inbox_error(e));
		a->state = ARRIVAL_GOING; /* its bytes are on the way */
		e = 0;
	}
	return e;
}

/* @r  whether it has its place and mode: 0, or -errno */
static void arrived(struct conn *k, struct arrival *a, int r,
		    const uint8_t hash[HASH_BYTES])
{
	if (r < 0) {
		refuse(k, a, inbox_error(r));
		return;
	}
	record_done(&k->in->out, a->number, hash);
	k->in->files++;
	over(a);
}

int arrival_skip(struct conn *k, const struct record *r)
{
	struct arrival *a = first(k, ARRIVAL_WANTED);
	uint8_t hash[HASH_BYTES];
	int e;

	(void)r;
	if (a == NULL || !a->whole)
		return -EPROTO;
	e = inbox_whole(&k->c->inbox, &a->o);
	sum_get(a->sum, hash);
	arrived(k, a, e, hash);
	return 0;
}

int arrival_data(struct conn *k, const struct record *r)
{
	struct arrival *a = first(k, ARRIVAL_GOING);
	int e;

	if (a == NULL)
		return -EPROTO;
	if (a->fd < 0)
		return 0; /* refused meanwhile */
	if (r->n > a->o.size - a->sum->n)
		return -EPROTO;
	e = room_take(k, r->n);
	if (e == 0)
		e = hd_pwrite_whole(a->fd, r->body, r->n,
				    (off_t)a->sum->n);
	if (e == 0)
		sum_add(a->sum, r->body, r->n);
	return e;
}

int arrival_end(struct conn *k, const struct record *r)
{
	struct arrival *a = first(k, ARRIVAL_GOING);
	uint8_t hash[HASH_BYTES];
	int e;

	if (a == NULL || (a->fd >= 0 && a->sum->n != a->o.size))
		return -EPROTO;
	if (a->fd < 0) {
		over(a);
		return 0;
	}
	sum_get(a->sum, hash);
	if (memcmp(hash, r->body, sizeof(hash)) != 0) {
		inbox_drop(&k->c->inbox, &a->o);
		refuse(k, a, "its checksum differs");
		return 0;
	}
	e = inbox_finish(&k->c->inbox, &a->o, a->fd);
	arrived(k, a, e, hash);
	return 0;
}

int arrival_drop(struct conn *k, const struct record *r)
{
	struct arrival *a = k->in->first;
	char name[SHOWN_BYTES], why[SHOWN_BYTES];

	if (a == NULL ||
	    (a->state != ARRIVAL_WANTED && a->state != ARRIVAL_GOING))
		return -EPROTO;
	if (a->state == ARRIVAL_GOING && a->fd < 0) {
		over(a); /* it knows from us */
		return 0;
	}
	note(k->c, "%s: the sender leaves it: %s",
	     shown(a->name, strlen(a->name), name),
	     shown((const char *)r->body, r->n, why));
	k->in->refused++;
	over(a);
	return 0;
}
