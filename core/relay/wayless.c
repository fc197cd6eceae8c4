/* SPDX-License-Identifier: MIT */
/* core/relay/wayless.c - see wayless.h: a queue, in which the one that was
 * noted last is the last, and marks of those that have gone lately. */
#include "core/relay/wayless.h"
#include <hyper-derp/timer.h>
#include <stdlib.h>
#include "core/loop/hooks.h"
#include "core/relay/peer.h"
#include "core/relay/relay_worker.h"

#define MARKS 1024 /* two keys in one place: the later one has it */

struct mark {
	uint64_t hash;
	uint64_t until_ms; /* 0: nobody has the place */
	uint16_t realm;
	uint16_t left; /* that it may tell yet */
};

struct hd_wayless {
	struct hd_gone_queue waits;
	struct hd_timer *timer;
	struct mark *marks; /* NULL: none has gone yet */
};

static struct hd_wayless *all_of(struct hd_worker *w)
{
	if (w->relay->wayless == NULL)
		w->relay->wayless = calloc(1, sizeof(struct hd_wayless));
	return w->relay->wayless;
}

/* ---- who has gone lately ---- */

static struct mark *place_of(const struct hd_wayless *all, uint64_t hash)
{
	return &all->marks[(hash >> 32) % MARKS];
}

static struct mark *find_mark(const struct hd_worker *w, uint64_t hash,
			      uint16_t realm)
{
	const struct hd_wayless *all = w->relay->wayless;
	struct mark *m;

	if (all == NULL || all->marks == NULL)
		return NULL;
	m = place_of(all, hash);
	return m->hash == hash && m->realm == realm && w->now_ms < m->until_ms
		       ? m
		       : NULL;
}

void hd_wayless_went(struct hd_worker *w, uint64_t hash, uint16_t realm)
{
	struct hd_wayless *all = all_of(w);

	if (all != NULL && all->marks == NULL)
		all->marks = calloc(MARKS, sizeof(*all->marks));
	if (all == NULL || all->marks == NULL)
		return;
	*place_of(all, hash) = (struct mark){
		.hash = hash,
		.until_ms = w->now_ms + HD_WENT_MS,
		.realm = realm,
		.left = HD_WENT_MAX,
	};
}

void hd_wayless_came(struct hd_worker *w, uint64_t hash, uint16_t realm)
{
	struct mark *m = find_mark(w, hash, realm);

	if (m != NULL)
		m->until_ms = 0;
}

/* A key that goes on sending has come up elsewhere, and the news of that is
 * late: it is not told for each of its packets. */
static bool has_gone(struct hd_worker *w, uint64_t hash, uint16_t realm,
		     const struct hd_key *key)
{
	struct mark *m;

	if (hd_relay_table_find(&w->relay->gone.table, hash, realm, key) !=
	    NULL)
		return true; /* and others are told yet */
	m = find_mark(w, hash, realm);
	if (m == NULL || m->left == 0)
		return false;
	m->left--;
	return true;
}

/* ---- those that wait ---- */

static struct hd_entry *find(const struct hd_worker *w, uint64_t hash,
			     uint16_t realm, const struct hd_key *key)
{
	const struct hd_wayless *all = w->relay->wayless;

	return all != NULL ? hd_relay_table_find(&all->waits.table, hash, realm,
						 key)
			   : NULL;
}

bool hd_wayless_has(const struct hd_worker *w, uint64_t hash, uint16_t realm,
		    const struct hd_key *key)
{
	return find(w, hash, realm, key) != NULL;
}

static void take_out(struct hd_worker *w, struct hd_entry *e)
{
	struct hd_gone_queue *q = &w->relay->wayless->waits;

	hd_gone_queue_out(q, e);
	hd_relay_table_take(&q->table, e);
}

static void end(struct hd_worker *w, struct hd_entry *e)
{
	hd_keyset_free(&e->to_notify, &w->stats.gone_bytes);
	hd_entry_free(&e);
}

static void give_to(struct hd_worker *w, const struct hd_entry *from,
		    struct hd_entry *to)
{
	uint32_t at = 0, looks = UINT32_MAX;
	struct hd_key receiver;

	for (; hd_keyset_next(&from->to_notify, &at, &looks, &receiver); at++)
		hd_gone_note(w, to, &receiver);
}

void hd_wayless_join(struct hd_worker *w, struct hd_entry *e)
{
	struct hd_entry *waits = find(w, e->hash, e->realm, &e->key);

	if (waits == NULL)
		return;
	take_out(w, waits);
	give_to(w, waits, e);
	end(w, waits);
}

static void tell_all(struct hd_worker *w, const struct hd_entry *e)
{
	uint32_t at = 0, looks = UINT32_MAX;
	struct hd_key receiver;

	for (; hd_keyset_next(&e->to_notify, &at, &looks, &receiver); at++)
		hd_gone_owe(w, e->realm, &e->key, &receiver);
}

static uint32_t waited_ms(const struct hd_worker *w, const struct hd_entry *e)
{
	return (uint32_t)w->now_ms - e->since_ms;
}

static void set_timer(struct hd_worker *w, struct hd_wayless *all)
{
	const struct hd_entry *e = all->waits.first;
	uint32_t ms = 0;

	if (e != NULL)
		ms = HD_WAYLESS_MS - HD_MIN(waited_ms(w, e),
					    (uint32_t)HD_WAYLESS_MS - 1);
	hd_timer_set(all->timer, ms);
}

/* Its way was there, and would have come again. Not so where a module keeps a
 * directory of who is where: there ways come when somebody here needs one. */
static bool is_lost(const struct hd_worker *w, const struct hd_entry *e)
{
	return e->had_way && w->hooks->here.n == 0;
}

static void end_old(struct hd_worker *w, struct hd_wayless *all)
{
	struct hd_entry *e;

	while ((e = all->waits.first) != NULL &&
	       waited_ms(w, e) >= HD_WAYLESS_MS) {
		take_out(w, e);
		if (is_lost(w, e))
			tell_all(w, e);
		end(w, e);
	}
}

static void look(struct hd_module *mod, struct hd_worker *w, void *all)
{
	(void)mod;
	end_old(w, all);
	set_timer(w, all);
}

static void make_room(struct hd_worker *w, struct hd_wayless *all)
{
	struct hd_entry *e;

	end_old(w, all);
	if (all->waits.table.n < HD_WAYLESS_MAX)
		return;
	e = all->waits.first;
	hd_count(&w->stats.gone_forgotten, e->to_notify.n);
	take_out(w, e);
	end(w, e);
}

/* Behind all others. It is in the table. */
static void wait_last(struct hd_worker *w, struct hd_wayless *all,
		      struct hd_entry *e)
{
	bool first = all->waits.first == NULL;

	e->since_ms = (uint32_t)w->now_ms;
	hd_gone_queue_in(&all->waits, e);
	if (first)
		set_timer(w, all);
}

/* Returns NULL: there is no memory. */
static struct hd_wayless *ready(struct hd_worker *w)
{
	struct hd_wayless *all = all_of(w);

	if (all != NULL && all->timer == NULL)
		all->timer = hd_timer_new(NULL, w, look, all);
	if (all == NULL || all->timer == NULL)
		return NULL;
	make_room(w, all);
	return all;
}

static struct hd_entry *waiting(struct hd_worker *w, uint64_t hash,
				uint16_t realm, const struct hd_key *key)
{
	struct hd_entry *e = find(w, hash, realm, key);
	struct hd_wayless *all;

	if (e != NULL) {
		hd_gone_queue_out(&w->relay->wayless->waits, e);
		wait_last(w, w->relay->wayless, e);
		return e;
	}
	all = ready(w);
	e = all != NULL ? hd_relay_table_add(&all->waits.table, hash, realm,
					     key)
			: NULL;
	if (e != NULL)
		wait_last(w, all, e);
	return e;
}

static struct hd_entry *owe(struct hd_worker *w, uint64_t hash, uint16_t realm,
			    const struct hd_key *source,
			    const struct hd_key *receiver)
{
	struct hd_entry *e = waiting(w, hash, realm, source);

	if (e != NULL)
		hd_gone_note(w, e, receiver);
	else
		hd_count(&w->stats.gone_forgotten, 1);
	return e;
}

void hd_wayless_note(struct hd_worker *w, uint64_t hash, uint16_t realm,
		     const struct hd_key *source, const struct hd_key *receiver)
{
	if (has_gone(w, hash, realm, source))
		hd_gone_owe(w, realm, source, receiver);
	else
		owe(w, hash, realm, source, receiver);
}

void hd_wayless_owe(struct hd_worker *w, uint64_t hash, uint16_t realm,
		    const struct hd_key *source, const struct hd_key *receiver)
{
	struct hd_entry *e = owe(w, hash, realm, source, receiver);

	if (e != NULL)
		e->had_way = true;
}

void hd_wayless_keep(struct hd_worker *w, struct hd_entry **entry)
{
	struct hd_entry *e = hd_steal(entry);
	struct hd_wayless *all = ready(w);

	if (all != NULL && hd_relay_table_put(&all->waits.table, e) == 0) {
		wait_last(w, all, e);
		return;
	}
	hd_count(&w->stats.gone_forgotten, e->to_notify.n);
	end(w, e);
}

const struct hd_relay_table *hd_wayless_table(const struct hd_worker *w)
{
	return w->relay->wayless != NULL ? &w->relay->wayless->waits.table
					 : NULL;
}

void hd_wayless_free(struct hd_worker *w)
{
	struct hd_wayless *all = hd_steal(&w->relay->wayless);

	if (all == NULL)
		return;
	hd_relay_table_free(&all->waits.table);
	hd_timer_free(&all->timer);
	free(all->marks);
	free(all);
}
