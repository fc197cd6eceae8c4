/* SPDX-License-Identifier: MIT */
/* core/loop/timer.c - timers of modules, and of the core's own parts (mod
 * NULL). */
#include <hyper-derp/timer.h>
#include <stdlib.h>
#include "core/loop/timer.h"
#include "core/loop/worker.h"

struct hd_timer {
	struct hd_heap_node node;
	struct hd_module *mod;
	struct hd_worker *worker;
	hd_timer_fn *fn;
	void *arg;
	struct hd_timer *next, **at; /* of the module in this worker */
};

static void list_in(struct hd_timer *t, struct hd_timer **at)
{
	t->at = at;
	t->next = *at;
	if (t->next != NULL)
		t->next->at = &t->next;
	*at = t;
}

static void list_out(struct hd_timer *t)
{
	if (t->at == NULL)
		return; /* the core's own */
	*t->at = t->next;
	if (t->next != NULL)
		t->next->at = t->at;
}

struct hd_timer *hd_timer_new(struct hd_module *mod, struct hd_worker *w,
			      hd_timer_fn *fn, void *arg)
{
	struct hd_timer *t = calloc(1, sizeof(*t));

	if (t == NULL || hd_heap_promise(&w->module_timers) < 0) {
		free(t);
		return NULL;
	}
	*t = (struct hd_timer){ .mod = mod, .worker = w, .fn = fn, .arg = arg };
	if (mod != NULL)
		list_in(t, &w->mods[mod->index].timers);
	return t;
}

void hd_timer_set(struct hd_timer *t, uint32_t delay_ms)
{
	struct hd_heap *heap = &t->worker->module_timers;

	if (delay_ms == 0)
		hd_heap_remove(heap, &t->node);
	else
		hd_heap_set(heap, &t->node, t->worker->now_ms + delay_ms);
}

void hd_timer_free(struct hd_timer **timer)
{
	struct hd_timer *t = hd_steal(timer);

	if (t == NULL)
		return;
	list_out(t);
	hd_heap_remove(&t->worker->module_timers, &t->node);
	hd_heap_unpromise(&t->worker->module_timers);
	free(t);
}

void hd_timers_free(struct hd_worker *w, struct hd_module *mod)
{
	while (w->mods[mod->index].timers != NULL) {
		struct hd_timer *t = w->mods[mod->index].timers;

		hd_timer_free(&t);
	}
}

static void end_here(struct hd_worker *w, struct hd_module *mod, bool kept)
{
	(void)kept; /* they name functions of the code */
	hd_timers_free(w, mod);
}

const struct hd_kind hd_timer_kind = {
	.name = "timers",
	.end_here = end_here,
};

unsigned hd_timers_n(const struct hd_worker *w, const struct hd_module *mod)
{
	const struct hd_timer *t = w->mods[mod->index].timers;
	unsigned n = 0;

	for (; t != NULL; t = t->next)
		n++;
	return n;
}

void hd_timers_run(struct hd_worker *w)
{
	struct hd_heap_node *node;

	while ((node = hd_heap_pop(&w->module_timers, w->now_ms)) != NULL) {
		struct hd_timer *t =
			hd_container_of(node, struct hd_timer, node);

		struct hd_account *before = hd_meter_enter(
			&w->meter,
			t->mod != NULL ? hd_account_of(w, t->mod) : NULL);

		t->fn(t->mod, w, t->arg);
		hd_meter_leave(&w->meter, before);
	}
}
