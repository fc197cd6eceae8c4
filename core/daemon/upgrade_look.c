/* SPDX-License-Identifier: MIT */
/* core/daemon/upgrade_look.c - what the old process sees before it hands over:
 * who can move, who is just coming, and what the new one says of itself. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "core/base/clock.h"
#include "core/base/snap_format.h"
#include "core/daemon/upgrade.h"
#include "core/loop/worker.h"
#include "core/relay/peer_snap.h"
#include "core/stream/stream_life.h"
#include "core/stream/stream_snap.h"

static const char *module_stays(const struct hd_give *g,
				const struct hd_module *mod)
{
	if (mod->def->state_version == 0 ||
	    mod->def->state_version != g->theirs[mod->index])
		return "its module keeps other state in the new binary";
	return NULL;
}

const char *hd_give_stays(const struct hd_give *g, const struct hd_stream *s)
{
	const char *why = hd_stream_stays(s);

	if (why == NULL)
		why = hd_peer_stays(s, g->reads);
	return why != NULL ? why : module_stays(g, s->mod);
}

static void add_reason(struct hd_upgrade_report *r, const char *why, bool peer,
		       unsigned n)
{
	unsigned i = 0;

	while (i < r->n && (r->v[i].peers != peer ||
			    strcmp(r->v[i].why, why) != 0))
		i++;
	if (i == HD_UPGRADE_REASONS_MAX)
		return;
	r->n = HD_MAX(r->n, i + 1);
	r->v[i].why = why;
	r->v[i].peers = peer;
	r->v[i].n += n;
}

/* A client that would have to come back. Other relays do so within moments, and
 * their clients need not. */
static bool is_client(const struct hd_stream *s)
{
	const struct hd_peer *p = hd_peer_up_of(s);

	return p != NULL && p->watch == NULL;
}

static void count_stream(const struct hd_give *g, const struct hd_stream *s,
			 struct hd_upgrade_report *r)
{
	const char *why = hd_give_stays(g, s);
	bool peer = is_client(s);

	r->moved += why == NULL;
	r->closed_peers += why != NULL && peer;
	r->closed_others += why != NULL && !peer;
	if (why != NULL)
		add_reason(r, why, peer, 1);
}

static void add_report(struct hd_upgrade_report *to,
		       const struct hd_upgrade_report *from)
{
	to->moved += from->moved;
	to->closed_peers += from->closed_peers;
	to->closed_others += from->closed_others;
	for (unsigned i = 0; i < from->n; i++)
		add_reason(to, from->v[i].why, from->v[i].peers, from->v[i].n);
}

static void count_here(struct hd_worker *w, void *arg)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct hd_upgrade_report here = { .n = 0 };
	struct hd_give *g = arg;

	for (struct hd_stream *s = w->streams->first; s != NULL; s = s->next)
		count_stream(g, s, &here);
	pthread_mutex_lock(&lock);
	add_report(g->report, &here);
	pthread_mutex_unlock(&lock);
}

static void count_none(struct hd_upgrade_report *r)
{
	r->moved = r->closed_peers = r->closed_others = r->n = 0;
}

void hd_give_count(struct hd_give *g)
{
	count_none(g->report);
	hd_workers_run_all(count_here, g);
}

void hd_give_count_parked(struct hd_give *g)
{
	count_none(g->report);
	hd_workers_run_parked(count_here, g);
}

/* ---- who is just coming ---- */

struct coming {
	uint64_t since_ms;
	size_t n;
};

/* A handshake, a login; a request that may become one, unless it has had its
 * time. */
static bool is_coming(const struct hd_stream *s, uint64_t since_ms)
{
	const struct hd_peer *p = hd_peer_of(s);

	if (!hd_stream_is_open(s) || hd_peer_up_of(s) != NULL)
		return false;
	return p != NULL || s->handshaking || s->since_ms >= since_ms;
}

static void coming_here(struct hd_worker *w, void *arg)
{
	struct coming *c = arg;

	for (struct hd_stream *s = w->streams->first; s != NULL; s = s->next)
		if (is_coming(s, c->since_ms))
			__atomic_add_fetch(&c->n, 1, __ATOMIC_RELAXED);
}

void hd_give_await(uint64_t limit_ms)
{
	const struct timespec step = { .tv_nsec = 5000000 };
	uint64_t began_ms = hd_clock_ms();
	struct coming c;

	do {
		c = (struct coming){ .since_ms = began_ms - limit_ms };
		hd_workers_run_all(coming_here, &c);
		if (c.n > 0)
			nanosleep(&step, NULL);
	} while (c.n > 0 && hd_clock_ms() < began_ms + limit_ms);
}

/* ---- what the new one says of itself ---- */

struct theirs { /* a module of the new process */
	char *name;
	uint64_t state, pack, oldest;
};

static void note_module(struct hd_give *g, const struct theirs *t)
{
	const struct hd_module *mod =
		t->name != NULL ? hd_modules_find(t->name) : NULL;

	if (mod == NULL)
		return;
	g->has[mod->index] = true;
	g->theirs[mod->index] = t->state;
	g->reads[mod->index] = hd_module_reads(mod, t->oldest, t->pack);
}

static void read_number(const struct hd_snap_item *item, struct theirs *t)
{
	if (item->tag == HD_SNAP_MODULE_STATE)
		(void)hd_snap_to_number(item, &t->state);
	else if (item->tag == HD_SNAP_MODULE_PACK)
		(void)hd_snap_to_number(item, &t->pack);
	else if (item->tag == HD_SNAP_MODULE_PACK_OLDEST)
		(void)hd_snap_to_number(item, &t->oldest);
}

static int read_module(struct hd_give *g, struct hd_snap_in in)
{
	struct theirs t = { .name = NULL };
	struct hd_snap_item item;
	int r;

	while ((r = hd_snap_next(&in, &item)) == 1)
		if (item.tag == HD_SNAP_MODULE_NAME && t.name == NULL)
			(void)hd_snap_to_text(&item, &t.name);
		else
			read_number(&item, &t);
	note_module(g, &t);
	free(t.name);
	return r;
}

/* A later one may take more: it takes what we know, too. */
static int read_ahead(struct hd_give *g, const struct hd_snap_item *item)
{
	uint64_t n;
	int r = hd_snap_to_number(item, &n);

	if (r == 0)
		g->ahead_goes = (enum hd_ahead_goes)HD_MIN(
			n, (uint64_t)HD_AHEAD_PACKED);
	return r;
}

static void read_version(struct hd_give *g, const struct hd_snap_item *item)
{
	char *text = NULL;

	if (hd_snap_to_text(item, &text) == 0)
		snprintf(g->report->version, sizeof(g->report->version), "%s",
			 text);
	free(text);
}

/* Loaded by a command, and in no configuration: it would end without a word. */
static int check_loaded(const struct hd_give *g, struct hd_error *err)
{
	for (unsigned i = 0; i < hd_modules_n(); i++) {
		const struct hd_module *mod = hd_modules_at(i);

		if (!g->has[mod->index])
			return hd_error_set(
				err, -ENOTSUP,
				"module %s is loaded, and the new process does "
				"not load it: hdctl module enable %s, or hdctl "
				"module unload %s, and try again",
				mod->name, mod->name, mod->name);
	}
	return 0;
}

int hd_give_read(struct hd_give *g, struct hd_snap_in in, struct hd_error *err)
{
	struct hd_snap_version version = { 0 };
	struct hd_snap_item item;
	int r;

	while ((r = hd_snap_next(&in, &item)) == 1) {
		if (hd_snap_version_take(&version, &item) < 0)
			break;
		if (item.tag == HD_SNAP_RELAY_VERSION)
			read_version(g, &item);
		else if (item.tag == HD_SNAP_TAKES_AHEAD &&
			 read_ahead(g, &item) < 0)
			break;
		else if (item.tag == HD_SNAP_MODULE &&
			 read_module(g, item.in) < 0)
			break;
	}
	if (r != 0)
		return hd_error_set(err, -EBADMSG,
				    "the new binary cannot be understood");
	if (hd_snap_version_reads(&version))
		return check_loaded(g, err);
	return hd_error_set(err, -ENOTSUP,
			    "the new binary reads snapshots of version %ju, "
			    "this one writes version %u: restart instead",
			    (uintmax_t)version.format, hd_snap_format);
}
