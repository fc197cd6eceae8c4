/* SPDX-License-Identifier: MIT */
/* core/relay/presence_feed.c - what a home worker has to tell a watcher: first
 * the keys that were here when it began, then what changes.
 *
 *   a change:  noted --again, merged--> noted --in a batch--> forgotten
 *
 * A note says that the key changed and whether its absence is owed; what it is
 * now is looked up when the batch is filled. So the last state always goes.
 * Context: the home worker. */
#include <hyper-derp/worker.h>
#include <errno.h>
#include <stdlib.h>
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include "core/relay/peer.h"
#include "core/relay/presence.h"
#include "core/relay/relay_worker.h"
#include "core/relay/tenant.h"

struct of { /* a key in a realm; hashed: no padding */
	struct hd_key key;
	uint16_t realm;
};

struct note { /* holds the tenant of its realm */
	struct of of;
	bool told; /* present, when this was noted */
	bool owed; /* absent, since it was told present */
	UT_hash_handle hh; /* keeps the order, too */
};

struct hd_feed {
	struct hd_feed *next;
	struct hd_watcher_id id;
	uint16_t realm;
	bool lost; /* no memory for a note */
	bool again; /* who is here is to be listed anew, when the batch is home:
		       once, however often the watcher asks */
	struct hd_presence_batch *batch; /* NULL: it is away */
	struct of *first; /* who was here when it began: a list */
	uint32_t n_first, at_first;
	struct note *notes;
};

static bool is_same(const struct hd_watcher_id *a,
		    const struct hd_watcher_id *b)
{
	return a->worker == b->worker && a->slot == b->slot &&
	       a->gen == b->gen && a->nth == b->nth;
}

static struct hd_feed **find(struct hd_worker *w,
			     const struct hd_watcher_id *id)
{
	struct hd_feed **at = &w->relay->feeds;

	while (*at != NULL && !is_same(&(*at)->id, id))
		at = &(*at)->next;
	return at;
}

static void forget(struct hd_feed *f, struct note *n)
{
	HASH_DEL(f->notes, n);
	hd_tenant_drop(hd_realm_tenant(n->of.realm));
	free(n);
}

static void feed_free(struct hd_feed **feed)
{
	struct hd_feed *f = hd_steal(feed);
	struct note *n, *next;

	HASH_ITER (hh, f->notes, n, next)
		forget(f, n);
	free(f->first);
	hd_presence_batch_free(f->batch);
	free(f);
}

static void feed_out(struct hd_feed **at)
{
	struct hd_feed *f = *at;

	*at = f->next;
	feed_free(&f);
}

/* ---- who was here ---- */

static bool has(uint32_t realms, uint16_t realm)
{
	return realms >> (realm & HD_REALM_PROTOCOL_MASK) & 1;
}

static bool tells(const struct hd_feed *f, uint16_t realm)
{
	return realm == f->realm || has(f->id.also, realm);
}

/* Room for all that are in the table. */
static bool make_room(struct hd_feed *f, const struct hd_relay_table *t)
{
	struct of *v = reallocarray(f->first, (size_t)f->n_first + t->n,
				    sizeof(*v));

	if (v != NULL)
		f->first = v;
	else
		f->lost = true;
	return v != NULL;
}

static void list(struct hd_feed *f, const struct hd_entry *e)
{
	f->first[f->n_first++] = (struct of){ e->key, e->realm };
}

static void list_keys(struct hd_feed *f, const struct hd_relay_table *t)
{
	if (t->n == 0 || !make_room(f, t))
		return;
	for (uint32_t i = 0; i < t->size; i++)
		if (t->v[i] != NULL && tells(f, t->v[i]->realm))
			list(f, t->v[i]);
}

/* Those of the one realm are told already. */
static void list_more(struct hd_feed *f, const struct hd_relay_table *t,
		      uint32_t realms)
{
	if (t->n == 0 || !make_room(f, t))
		return;
	for (uint32_t i = 0; i < t->size; i++)
		if (t->v[i] != NULL && t->v[i]->realm != f->realm &&
		    has(realms, t->v[i]->realm))
			list(f, t->v[i]);
}

void hd_feed_open(struct hd_worker *w, void *batch, void *unused)
{
	struct hd_presence_batch *b = batch;
	struct hd_feed *f = calloc(1, sizeof(*f));

	(void)unused;
	if (f == NULL) { /* its watcher hears of it */
		b->lost = true;
		if (hd_worker_post(hd_worker_at(b->id.worker), hd_presence_take,
				   b, NULL) < 0)
			free(b);
		return;
	}
	f->id = b->id;
	f->realm = b->realm;
	f->batch = b;
	list_keys(f, &w->relay->table);
	f->next = w->relay->feeds;
	w->relay->feeds = f;
}

void hd_feed_again(struct hd_worker *w, void *id, void *unused)
{
	struct hd_feed *f = *find(w, id);

	(void)unused;
	free(id);
	if (f != NULL)
		f->again = true;
}

void hd_feed_widen(struct hd_worker *w, void *id, void *unused)
{
	const struct hd_watcher_id *wider = id;
	struct hd_feed *f = *find(w, id);

	(void)unused;
	if (f != NULL && !f->lost) {
		list_more(f, &w->relay->table, wider->also & ~f->id.also);
		f->id.also |= wider->also;
	}
	free(id);
}

void hd_feed_close(struct hd_worker *w, void *id, void *unused)
{
	struct hd_feed **at = find(w, id);

	(void)unused;
	if (*at != NULL)
		feed_out(at);
	free(id);
}

void hd_feed_back(struct hd_worker *w, void *batch, void *unused)
{
	struct hd_presence_batch *b = batch;
	struct hd_feed *f = *find(w, &b->id);

	(void)unused;
	if (f == NULL) {
		hd_presence_batch_free(b);
		return;
	}
	hd_presence_batch_clear(b);
	f->batch = b;
}

/* ---- changes ---- */

static struct note *note_add(struct hd_feed *f, const struct of *of, bool told)
{
	struct note *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return NULL;
	n->of = *of;
	n->told = told;
	HASH_ADD(hh, f->notes, of, sizeof(n->of), n);
	if (n->hh.tbl == NULL) { /* out of memory: uthash has left it out */
		free(n);
		return NULL;
	}
	hd_tenant_hold_again(hd_realm_tenant(of->realm));
	return n;
}

/* @was  it was present before this change
 * @is   it is, after it */
static void change(struct hd_feed *f, const struct hd_entry *e, bool was,
		   bool is)
{
	const struct of of = { e->key, e->realm };
	struct note *n;

	HASH_FIND(hh, f->notes, &of, sizeof(of), n);
	if (n == NULL)
		n = note_add(f, &of, was);
	if (n == NULL)
		f->lost = true;
	else if (!is && n->told)
		n->owed = true;
	else if (!is)
		forget(f, n); /* came and went: nothing is to be told */
}

void hd_feeds_up(struct hd_worker *w, const struct hd_entry *e)
{
	bool was = e->active->next != NULL;

	for (struct hd_feed *f = w->relay->feeds; f != NULL; f = f->next)
		if (tells(f, e->realm) && !f->lost)
			change(f, e, was, true);
}

void hd_feeds_down(struct hd_worker *w, const struct hd_entry *e)
{
	for (struct hd_feed *f = w->relay->feeds; f != NULL; f = f->next)
		if (tells(f, e->realm) && !f->lost)
			change(f, e, true, false);
}

/* ---- a batch ---- */

void hd_presence_batch_clear(struct hd_presence_batch *b)
{
	for (uint32_t i = 0; i < b->n; i++)
		hd_tenant_drop(hd_realm_tenant(b->item[i].realm));
	b->n = b->at = 0;
}

void hd_presence_batch_free(struct hd_presence_batch *b)
{
	if (b != NULL)
		hd_presence_batch_clear(b);
	free(b);
}

static void put(struct hd_presence_batch *b, const struct of *of,
		const struct hd_peer *active)
{
	struct hd_presence_item *item = &b->item[b->n++];

	*item = (struct hd_presence_item){ .key = of->key,
					   .realm = of->realm,
					   .present = active != NULL };
	hd_tenant_hold_again(hd_realm_tenant(of->realm));
	if (active == NULL)
		return;
	item->flags = active->login.flags;
	item->addr = active->stream->addr;
}

static void put_now(struct hd_worker *w, struct hd_presence_batch *b,
		    const struct of *of)
{
	const struct hd_entry *e = hd_relay_table_find(
		&w->relay->table, hd_key_hash(of->realm, &of->key), of->realm,
		&of->key);

	if (e != NULL)
		put(b, of, e->active);
}

/* One that has changed since is told with the changes. */
static void put_first(struct hd_worker *w, struct hd_feed *f,
		      const struct of *of)
{
	const struct note *n;

	HASH_FIND(hh, f->notes, of, sizeof(*of), n);
	if (n == NULL)
		put_now(w, f->batch, of);
}

/* Two may be needed for the next one. */
static bool has_room(const struct hd_presence_batch *b)
{
	return b->n + 2 <= HD_PRESENCE_BATCH;
}

static void fill(struct hd_worker *w, struct hd_feed *f)
{
	struct hd_presence_batch *b = f->batch;
	struct note *n, *next;

	while (has_room(b) && f->at_first < f->n_first)
		put_first(w, f, &f->first[f->at_first++]);
	if (f->at_first < f->n_first)
		return;
	free(hd_steal(&f->first));
	f->n_first = f->at_first = 0;
	HASH_ITER (hh, f->notes, n, next) {
		if (!has_room(b))
			return;
		if (n->owed)
			put(b, &n->of, NULL);
		put_now(w, b, &n->of);
		forget(f, n);
	}
}

static bool has_news(const struct hd_feed *f)
{
	return f->batch != NULL &&
	       (f->again || f->at_first < f->n_first || f->notes != NULL ||
		f->batch->n > 0);
}

/* Returns false: it is tried again. */
static bool send_off(struct hd_feed *f)
{
	int r = hd_worker_post(hd_worker_at(f->id.worker), hd_presence_take,
			       f->batch, NULL);

	if (r == -ENOMEM)
		return false;
	if (r < 0) /* that worker has ended */
		hd_presence_batch_free(f->batch);
	f->batch = NULL;
	return true;
}

static void list_again(struct hd_worker *w, struct hd_feed *f)
{
	f->again = false;
	free(hd_steal(&f->first));
	f->n_first = f->at_first = 0;
	list_keys(f, &w->relay->table);
}

/* All that a lost feed has to say is that. */
static bool run(struct hd_worker *w, struct hd_feed *f)
{
	if (f->batch == NULL)
		return true;
	if (f->again && !f->lost)
		list_again(w, f);
	f->batch->lost = f->lost;
	if (!f->lost && f->batch->n == 0)
		fill(w, f);
	return (f->batch->n == 0 && !f->lost) || send_off(f);
}

bool hd_feeds_run(struct hd_worker *w)
{
	bool more = false;

	for (struct hd_feed *f = w->relay->feeds; f != NULL; f = f->next)
		if (f->lost || has_news(f))
			more |= !run(w, f);
	return more;
}

void hd_feeds_free(struct hd_worker *w)
{
	while (w->relay->feeds != NULL)
		feed_out(&w->relay->feeds);
}
