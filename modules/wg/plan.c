/* SPDX-License-Identifier: MIT */
/* modules/wg/plan.c - the main thread's side: changes on their way to the
 * engine, in order. */
#include <hyper-derp/task.h>
#include <hyper-derp/worker.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "modules/wg/plan.h"
#include "modules/wg/state.h"

/* What load() wants the engine to begin with. Main thread until the worker
 * starts, which takes it. */
static struct wg_plan *first_plan;
static bool running; /* atomic: the engine is there */

struct change {
	enum { PLAN, PEER_PUT, PEER_REMOVE, LINK_PUT, LINK_REMOVE } what;
	struct wg_plan *plan;
	struct wg_peer_conf peer; /* its name alone for PEER_REMOVE */
	struct wg_link_conf link;
};

struct wg_plan *wg_plan_new(uint32_t n_peers, uint32_t n_links)
{
	struct wg_plan *plan = calloc(1, sizeof(*plan));

	if (plan == NULL)
		return NULL;
	plan->peers = calloc((size_t)n_peers + 1, sizeof(*plan->peers));
	plan->links = calloc((size_t)n_links + 1, sizeof(*plan->links));
	plan->n_peers = n_peers;
	plan->n_links = n_links;
	if (plan->peers == NULL || plan->links == NULL)
		wg_plan_free(&plan);
	return plan;
}

void wg_plan_free(struct wg_plan **at)
{
	struct wg_plan *plan = hd_steal(at);

	if (plan == NULL)
		return;
	free(plan->peers);
	free(plan->links);
	free(plan);
}

struct wg_plan *wg_plan_first(void)
{
	__atomic_store_n(&running, true, __ATOMIC_RELEASE);
	return hd_steal(&first_plan);
}

void wg_plan_stopped(void)
{
	__atomic_store_n(&running, false, __ATOMIC_RELEASE);
}

void wg_plan_forget(void)
{
	wg_plan_free(&first_plan);
}

/* ---- in the worker ---- */

static void change_link(struct wg_engine *e, const struct change *c)
{
	struct wg_peer *a = wg_peer_by_name(e, c->link.a);
	struct wg_peer *b = wg_peer_by_name(e, c->link.b);
	struct wg_link *l;

	if (a == NULL || b == NULL)
		return;
	if (c->what == LINK_PUT) {
		wg_link_put(e, a, b);
		return;
	}
	l = wg_link_between(e, a->item.id, b->item.id);
	if (l != NULL)
		wg_link_drop(e, l);
}

static void change_peer(struct wg_engine *e, const struct change *c)
{
	struct wg_peer *p;

	if (c->what == PEER_PUT) {
		wg_peer_put(e, &c->peer);
		return;
	}
	p = wg_peer_by_name(e, c->peer.name);
	if (p != NULL)
		wg_peer_drop(e, p);
}

static void change_free(void *arg)
{
	struct change *c = arg;

	wg_plan_free(&c->plan);
	free(c);
}

static void arrive(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct wg_engine *e = wg_engine_of(mod, w);
	struct change *c = arg;

	if (e != NULL)
		e->now_ms = hd_now_ms(w);
	if (e != NULL && c->what == PLAN)
		wg_engine_plan(e, c->plan);
	else if (e != NULL && c->what <= PEER_REMOVE)
		change_peer(e, c);
	else if (e != NULL)
		change_link(e, c);
	change_free(c);
}

/* ---- in the main thread ---- */

/* @change  its plan is taken */
static int post(struct hd_module *mod, const struct change *change)
{
	struct change *c = malloc(sizeof(*c));

	if (c == NULL) {
		struct wg_plan *plan = change->plan;

		wg_plan_free(&plan);
		return -ENOMEM;
	}
	*c = *change;
	return hd_post(mod, hd_worker_at(0), arrive, c, change_free);
}

int wg_engine_apply(struct hd_module *mod, struct wg_plan **plan)
{
	struct change c = { .what = PLAN, .plan = hd_steal(plan) };

	if (__atomic_load_n(&running, __ATOMIC_ACQUIRE))
		return post(mod, &c);
	wg_plan_free(&first_plan);
	first_plan = c.plan;
	return 0;
}

int wg_engine_peer_put(struct hd_module *mod, const struct wg_peer_conf *peer)
{
	return post(mod, &(struct change){ .what = PEER_PUT, .peer = *peer });
}

int wg_engine_peer_remove(struct hd_module *mod, const char *name)
{
	struct change c = { .what = PEER_REMOVE };

	strncpy(c.peer.name, name, sizeof(c.peer.name) - 1);
	return post(mod, &c);
}

static int change_of_link(struct hd_module *mod, int what, const char *a,
			  const char *b)
{
	struct change c = { .what = what };

	strncpy(c.link.a, a, sizeof(c.link.a) - 1);
	strncpy(c.link.b, b, sizeof(c.link.b) - 1);
	return post(mod, &c);
}

int wg_engine_link_put(struct hd_module *mod, const char *a, const char *b)
{
	return change_of_link(mod, LINK_PUT, a, b);
}

int wg_engine_link_remove(struct hd_module *mod, const char *a, const char *b)
{
	return change_of_link(mod, LINK_REMOVE, a, b);
}
