/* SPDX-License-Identifier: MIT */
/* core/loop/main_timer.c - timers of modules on the main thread. One that was
 * withdrawn does nothing, and lives on until unload() cannot name it any more.
 */
#include <hyper-derp/mainloop.h>
#include <stdlib.h>
#include "core/base/clock.h"
#include "core/base/heap.h"
#include "core/loop/mainloop.h"

struct hd_main_timer {
	struct hd_heap_node node;
	struct hd_module *mod; /* NULL: withdrawn */
	hd_main_timer_fn *fn;
	void *arg;
	struct hd_main_timer *next;
};

static struct hd_heap heap;
static struct hd_main_timer *all;

struct hd_main_timer *hd_main_timer_new(struct hd_module *mod,
					hd_main_timer_fn *fn, void *arg)
{
	struct hd_main_timer *t = calloc(1, sizeof(*t));

	hd_main_assert();
	if (t == NULL || hd_heap_promise(&heap) < 0) {
		free(t);
		return NULL;
	}
	*t = (struct hd_main_timer){
		.mod = mod, .fn = fn, .arg = arg, .next = all
	};
	all = t;
	return t;
}

void hd_main_timer_set(struct hd_main_timer *t, uint32_t delay_ms)
{
	hd_main_assert();
	if (delay_ms > 0 && t->mod != NULL && hd_main_runs())
		hd_heap_set(&heap, &t->node, hd_clock_ms() + delay_ms);
	else
		hd_heap_remove(&heap, &t->node);
}

static void drop(struct hd_main_timer **at)
{
	struct hd_main_timer *t = *at;

	*at = t->next;
	hd_heap_remove(&heap, &t->node);
	hd_heap_unpromise(&heap);
	free(t);
}

void hd_main_timer_free(struct hd_main_timer **timer)
{
	struct hd_main_timer *t = hd_steal(timer);
	struct hd_main_timer **at = &all;

	hd_main_assert();
	if (t == NULL)
		return;
	while (*at != t)
		at = &(*at)->next;
	drop(at);
}

/* ---- the core's side ---- */

uint64_t hd_main_timers_next_ms(void)
{
	return hd_heap_next_ms(&heap);
}

/* Those that are due now; not what they set anew. */
void hd_main_timers_run(void)
{
	uint64_t now_ms = hd_clock_ms();
	struct hd_heap_node *node;

	while ((node = hd_heap_pop(&heap, now_ms)) != NULL) {
		struct hd_main_timer *t =
			hd_container_of(node, struct hd_main_timer, node);

		t->fn(t->mod, t->arg);
	}
}

void hd_main_timers_end(void)
{
	for (struct hd_main_timer *t = all; t != NULL; t = t->next)
		hd_heap_remove(&heap, &t->node);
	hd_heap_free(&heap);
}

static void withdraw(const struct hd_module *mod)
{
	for (struct hd_main_timer *t = all; t != NULL; t = t->next) {
		if (t->mod != mod)
			continue;
		t->mod = NULL;
		hd_heap_remove(&heap, &t->node);
	}
}

static void reclaim(void)
{
	struct hd_main_timer **at = &all;

	while (*at != NULL) {
		if ((*at)->mod == NULL)
			drop(at);
		else
			at = &(*at)->next;
	}
}

const struct hd_kind hd_main_timer_kind = {
	.name = "timers of the main thread",
	.withdraw = withdraw,
	.reclaim = reclaim,
	.to_the_last = true,
};
