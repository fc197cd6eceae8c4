/* SPDX-License-Identifier: MIT */
/* modules/mesh_nats/lookup.c - what a worker knows of keys that are elsewhere.
 *
 *   nothing --a packet--> ASKED --nobody--> NOBODY, for a second
 *                           `---at a relay--> AT: the link has the way (link.h)
 *
 * As long as that way is there, no packet comes by here. When one does, the
 * link is on its way, or the key has gone from there: it is asked for again,
 * once a second. After cache_time a way that packets have taken is asked about
 * again and stays meanwhile, and for as long as there is no answer; one that
 * none has taken is forgotten, and nobody is told that the key has gone. Asking
 * is limited in each worker, and in it for each sender,
 * so that one that tries keys cannot take it all. Context: the home of the
 * key. */
#include "modules/mesh_nats/mesh_nats.h"
#include <errno.h>
#include <hyper-derp/about.h>
#include <hyper-derp/hook.h>
#include <hyper-derp/timer.h>
#include <stdlib.h>
#include <string.h>

enum {
	ENTRIES_MAX = 32768,
	ASKED_MAX = 2000, /* a second */
	ASKED_BY_MAX = 200, /* by those who share one of 64 counters */
	AGAIN_MS = 1000,
	SWEEP_MS = 1000,
	SWEEP_SOON_MS = 100,
	PLACES = 1024, /* of the table of peers, in a turn */
};

enum entry_state { ASKED, NOBODY, AT };

struct dir_entry {
	struct dir_of of; /* its realm is held */
	enum entry_state state;
	bool wanted; /* NOBODY: a packet has come, and may wait */
	uint64_t since_ms;
	char *relay, *dial; /* AT: the way is there. NULL: none */
	UT_hash_handle hh;
};

static struct dir_worker *here(struct hd_module *mod, struct hd_worker *w)
{
	return hd_module_worker_data(mod, w);
}

static struct dir_numbers *numbers(struct hd_module *mod, struct hd_worker *w)
{
	return hd_metrics(mod, w);
}

static struct dir_entry *find(struct dir_worker *dw, const struct dir_of *of)
{
	struct dir_entry *e = NULL;

	HASH_FIND(hh, dw->table, of, sizeof(*of), e);
	return e;
}

static void relay_forget(struct dir_entry *e)
{
	free(e->relay);
	free(e->dial);
	e->relay = e->dial = NULL;
}

/* @gone  the key is not there; else it may be */
static void way_ends(struct dir_entry *e, bool gone)
{
	const struct hd_link_wish wish = { .name = e->relay,
					   .key = e->of.key,
					   .realm = e->of.realm,
					   .gone = gone,
					   .unused = !gone };

	if (e->relay != NULL)
		hd_link_wish(&wish);
	relay_forget(e);
}

static void forget(struct dir_worker *dw, struct dir_entry *e)
{
	HASH_DEL(dw->table, e);
	relay_forget(e);
	hd_realm_drop(e->of.realm);
	free(e);
}

/* ---- asking ---- */

static void look_at_clock(struct dir_worker *dw, struct hd_worker *w)
{
	uint64_t now_ms = hd_now_ms(w);

	if (now_ms - dw->second_ms < 1000)
		return;
	dw->second_ms = now_ms;
	dw->asked = 0;
	memset(dw->asked_by, 0, sizeof(dw->asked_by));
}

static bool may_ask(struct dir_worker *dw, struct hd_worker *w,
		    const struct hd_key *source)
{
	unsigned *by = &dw->asked_by[source->b[0] % HD_ARRAY_N(dw->asked_by)];

	look_at_clock(dw, w);
	if (dw->asked >= ASKED_MAX || *by >= ASKED_BY_MAX)
		return false;
	dw->asked++;
	++*by;
	return true;
}

static struct dir_entry *entry_new(struct dir_worker *dw,
				   const struct dir_of *of)
{
	struct dir_entry *e;

	if (HASH_COUNT(dw->table) >= ENTRIES_MAX)
		return NULL;
	e = calloc(1, sizeof(*e));
	if (e == NULL)
		return NULL;
	e->of = *of;
	dir_hold(of->realm);
	HASH_ADD(hh, dw->table, of, sizeof(e->of), e);
	return e;
}

static enum hd_verdict ask(struct hd_module *mod, struct hd_worker *w,
			   struct dir_entry *e, const struct hd_packet *packet)
{
	struct dir_worker *dw = here(mod, w);

	if (!may_ask(dw, w, packet->src))
		e = NULL;
	else if (e == NULL)
		e = entry_new(dw, &(struct dir_of){ *packet->dst,
						    packet->realm });
	if (e == NULL) {
		hd_count(&numbers(mod, w)->refused, 1);
		return HD_VERDICT_PASS;
	}
	e->state = ASKED;
	e->since_ms = hd_now_ms(w);
	hd_count(&numbers(mod, w)->asked, 1);
	dir_op_put(DIR_ASK, &e->of, NULL);
	return HD_VERDICT_PENDING;
}

/* Another module may let it wait: it is asked for again when it may be. */
static enum hd_verdict is_nobody(struct dir_worker *dw, struct dir_entry *e,
				 uint64_t age_ms)
{
	e->wanted = true;
	if (!dw->soon)
		hd_timer_set(dw->timer,
			     (uint32_t)HD_MAX(AGAIN_MS - age_ms,
					      (uint64_t)SWEEP_SOON_MS));
	dw->soon = true;
	return HD_VERDICT_PASS;
}

static enum hd_verdict on_unknown(struct hd_module *mod, struct hd_worker *w,
				  const struct hd_packet *packet)
{
	const struct dir_of of = { *packet->dst, packet->realm };
	struct dir_entry *e = find(here(mod, w), &of);
	uint64_t age_ms;

	if (e == NULL)
		return ask(mod, w, NULL, packet);
	age_ms = hd_now_ms(w) - e->since_ms;
	if (e->state == ASKED && age_ms < DIR_ANSWER_MS)
		return HD_VERDICT_PENDING;
	if (e->state == NOBODY && age_ms < AGAIN_MS)
		return is_nobody(here(mod, w), e, age_ms);
	if (e->state == AT && age_ms < AGAIN_MS)
		return HD_VERDICT_PENDING;
	return ask(mod, w, e, packet);
}

/* ---- the answer ---- */

static void nobody(struct hd_module *mod, struct hd_worker *w,
		   struct dir_entry *e)
{
	hd_count(&numbers(mod, w)->nobody, 1);
	way_ends(e, true);
	e->state = NOBODY;
	hd_relay_unknown(w, e->of.realm, &e->of.key);
}

/* A way that is there stays as it is. */
static void wish(struct hd_module *mod, struct hd_worker *w,
		 struct dir_entry *e)
{
	const struct dir_conf *conf = hd_module_worker_conf(mod, w);
	const struct hd_link_wish what = {
		.name = e->relay,
		.dial = e->dial,
		.ca_file = conf->ca_file,
		.key = e->of.key,
		.realm = e->of.realm,
	};

	e->state = AT;
	hd_link_wish(&what);
}

static bool same(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b) == 0;
}

/* Who has moved has not gone: the old way ends without a word. */
static void found(struct hd_module *mod, struct hd_worker *w,
		  struct dir_entry *e, const struct dir_found *f)
{
	hd_count(&numbers(mod, w)->found, 1);
	if (!same(e->relay, f->relay))
		way_ends(e, false);
	if (!same(e->relay, f->relay) || !same(e->dial, f->dial)) {
		relay_forget(e);
		e->relay = strdup(f->relay);
		e->dial = f->dial[0] != '\0' ? strdup(f->dial) : NULL;
	}
	if (e->relay != NULL)
		wish(mod, w, e);
	else
		nobody(mod, w, e); /* no memory */
}

static void found_free(void *found)
{
	struct dir_found *f = found;

	hd_realm_drop(f->of.realm);
	free(f);
}

static void answered(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct dir_found *f = arg;
	struct dir_entry *e = find(here(mod, w), &f->of);

	if (e != NULL) {
		e->since_ms = hd_now_ms(w);
		if (f->says == DIR_AT)
			found(mod, w, e, f);
		else if (f->says == DIR_SILENT && e->relay != NULL)
			wish(mod, w, e); /* what is known goes on */
		else
			nobody(mod, w, e);
	}
	found_free(f);
}

void dir_lookup_answer(const struct dir_of *of, enum dir_says says,
		       const struct dir_relay *at)
{
	struct dir_found *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return;
	f->of = *of;
	dir_hold(of->realm);
	f->says = says;
	if (says == DIR_AT) {
		memcpy(f->relay, at->name, sizeof(f->relay));
		memcpy(f->dial, at->dial, sizeof(f->dial));
	}
	hd_post(dir.mod, hd_relay_home(of->realm, &of->key), answered, f,
		found_free);
}

/* ---- who is here ---- */

static void on_here(struct hd_module *mod, struct hd_worker *w,
		    const struct hd_presence *what)
{
	const struct dir_of of = { *what->key, what->realm };

	(void)mod, (void)w;
	if (what->present)
		dir_op_login(&of, 0);
	else
		dir_op_put(DIR_GONE, &of, NULL);
}

static void put_peer(void *unused, const struct hd_about_peer *p)
{
	const struct dir_of of = { *p->key, p->realm };

	(void)unused;
	if (p->active && !p->mesh)
		dir_op_login(&of, p->age_ms);
}

/* ---- from time to time ---- */

static bool is_old(const struct dir_entry *e, uint64_t now_ms,
		   const struct dir_conf *conf)
{
	uint64_t age_ms = now_ms - e->since_ms;

	if (e->state == ASKED)
		return age_ms >= 2 * DIR_ANSWER_MS;
	return age_ms >= (e->state == AT ? conf->cache_ms : AGAIN_MS);
}

/* Returns whether it stays: packets go there. */
static bool ask_again(struct hd_module *mod, struct hd_worker *w,
		      struct dir_entry *e)
{
	struct dir_worker *dw = here(mod, w);

	look_at_clock(dw, w);
	if (dw->asked >= ASKED_MAX)
		return true; /* in the next second */
	if (e->state == AT ? !hd_link_used(w, e->of.realm, &e->of.key)
			   : !e->wanted)
		return false;
	if (e->state == NOBODY)
		e->state = ASKED;
	e->wanted = false;
	dw->asked++;
	e->since_ms = hd_now_ms(w);
	hd_count(&numbers(mod, w)->asked, 1);
	dir_op_put(DIR_ASK, &e->of, NULL);
	return true;
}

static void sweep(struct hd_module *mod, struct hd_worker *w)
{
	const struct dir_conf *conf = hd_module_worker_conf(mod, w);
	struct dir_worker *dw = here(mod, w);
	struct dir_entry *e, *next;

	HASH_ITER (hh, dw->table, e, next) {
		if (!is_old(e, hd_now_ms(w), conf) ||
		    (e->state != ASKED && ask_again(mod, w, e)))
			continue;
		way_ends(e, false);
		forget(dw, e);
	}
}

/* First of all: who was here before the module. */
static void on_timer(struct hd_module *mod, struct hd_worker *w, void *unused)
{
	struct dir_worker *dw = here(mod, w);

	(void)unused;
	if (dw->at != UINT64_MAX) {
		if (!hd_about_peers(w, &dw->at, PLACES, put_peer, NULL)) {
			dw->at = UINT64_MAX;
			dir_op_put(DIR_SEEN, NULL, NULL);
		}
		hd_timer_set(dw->timer, 1);
		return;
	}
	dw->soon = false;
	sweep(mod, w);
	dir_numbers_show(mod, w);
	hd_timer_set(dw->timer, SWEEP_MS);
}

/* ---- life ---- */

int dir_lookup_load(struct hd_module *mod, struct hd_error *err)
{
	int r = hd_hook_here(mod, on_here, err);

	return r == 0 ? hd_hook_unknown(mod, on_unknown, err) : r;
}

int dir_lookup_start(struct hd_module *mod, struct hd_worker *w,
		     struct hd_error *err)
{
	struct dir_worker *dw = here(mod, w);

	dw->timer = hd_timer_new(mod, w, on_timer, NULL);
	if (dw->timer == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	hd_timer_set(dw->timer, 1);
	return 0;
}

void dir_lookup_stop(struct hd_module *mod, struct hd_worker *w)
{
	struct dir_worker *dw = here(mod, w);
	struct dir_entry *e, *next;

	HASH_ITER (hh, dw->table, e, next)
		forget(dw, e);
}
