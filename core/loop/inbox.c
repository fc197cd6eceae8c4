/* SPDX-License-Identifier: MIT */
/* core/loop/inbox.c - work that other threads hand to a worker. */
#include <hyper-derp/task.h>
#include <errno.h>
#include <stdlib.h>
#include "core/loop/inbox.h"

struct hd_post { /* of the core (fn) or of a module (mod_fn) */
	struct hd_post *next;
	hd_worker_fn *fn;
	void *a, *b;
	struct hd_module *mod;
	hd_post_fn *mod_fn;
	hd_drop_fn *drop;
};

void hd_inbox_init(struct hd_inbox *inbox)
{
	*inbox = (struct hd_inbox){ 0 };
	pthread_mutex_init(&inbox->lock, NULL);
}

bool hd_inbox_empty(struct hd_inbox *inbox)
{
	return __atomic_load_n(&inbox->first, __ATOMIC_ACQUIRE) == NULL;
}

/* ---- from any thread ---- */

static bool is_refused(const struct hd_worker *w, const struct hd_post *post)
{
	if (w->inbox.shut || post->mod == NULL)
		return w->inbox.shut;
	uint8_t phase = w->mods[post->mod->index].phase;

	return phase != HD_MOD_STARTING && phase != HD_MOD_STARTED;
}

static void append(struct hd_inbox *inbox, struct hd_post *post)
{
	if (inbox->last != NULL)
		inbox->last->next = post;
	else
		__atomic_store_n(&inbox->first, post, __ATOMIC_RELEASE);
	inbox->last = post;
}

static int inbox_put(struct hd_worker *w, struct hd_post *post)
{
	pthread_mutex_lock(&w->inbox.lock);
	int r = is_refused(w, post) ? -ESHUTDOWN : 0;

	if (r == 0 && post->mod != NULL)
		__atomic_add_fetch(&post->mod->posts, 1, __ATOMIC_RELAXED);
	if (r == 0)
		append(&w->inbox, post);
	pthread_mutex_unlock(&w->inbox.lock);
	return r;
}

static int post(struct hd_worker *w, const struct hd_post *what)
{
	struct hd_post *p = malloc(sizeof(*p));

	if (p == NULL)
		return -ENOMEM;
	*p = *what;
	int r = inbox_put(w, p);

	if (r < 0)
		free(p);
	else
		hd_worker_wake(w);
	return r;
}

int hd_worker_post(struct hd_worker *w, hd_worker_fn *fn, void *a, void *b)
{
	struct hd_post p = { .fn = fn, .a = a, .b = b };

	return post(w, &p);
}

int hd_inbox_offer(struct hd_module *mod, struct hd_worker *w, hd_post_fn *fn,
		   void *arg, hd_drop_fn *drop)
{
	struct hd_post p = { .mod = mod, .mod_fn = fn, .a = arg, .drop = drop };

	return w != NULL ? post(w, &p) : -ESHUTDOWN;
}

int hd_post(struct hd_module *mod, struct hd_worker *w, hd_post_fn *fn,
	    void *arg, hd_drop_fn *drop)
{
	int r = hd_inbox_offer(mod, w, fn, arg, drop);

	if (r < 0)
		hd_drop(drop, arg);
	return r;
}

/* ---- in the worker ---- */

/* Behind those that are about to run, where a post is what calls this. */
static void inbox_take(struct hd_inbox *inbox)
{
	struct hd_post **end = &inbox->taken;

	while (*end != NULL)
		end = &(*end)->next;
	pthread_mutex_lock(&inbox->lock);
	*end = inbox->first;
	__atomic_store_n(&inbox->first, NULL, __ATOMIC_RELEASE);
	inbox->last = NULL;
	pthread_mutex_unlock(&inbox->lock);
}

static void call(struct hd_worker *w, const struct hd_post *p)
{
	struct hd_account *before =
		hd_meter_enter(&w->meter, hd_account_of(w, p->mod));

	p->mod_fn(p->mod, w, p->a);
	hd_meter_leave(&w->meter, before);
}

/* Its module is just starting in this worker. Unless it takes no more. */
static bool wait_on(struct hd_worker *w, struct hd_post *p)
{
	pthread_mutex_lock(&w->inbox.lock);
	bool waits = !w->inbox.shut;

	if (waits)
		append(&w->inbox, p);
	pthread_mutex_unlock(&w->inbox.lock);
	return waits;
}

/* Returns whether it waits. */
static bool run_module_post(struct hd_worker *w, struct hd_post *p)
{
	uint8_t phase = w->mods[p->mod->index].phase;

	if (phase == HD_MOD_STARTING && wait_on(w, p))
		return true;
	if (phase == HD_MOD_STARTED || phase == HD_MOD_STOPPING)
		call(w, p);
	else
		hd_drop(p->drop, p->a);
	__atomic_sub_fetch(&p->mod->posts, 1, __ATOMIC_RELEASE);
	return false;
}

static void run(struct hd_worker *w, struct hd_post *p)
{
	bool waits = false;

	p->next = NULL;
	if (p->fn != NULL)
		p->fn(w, p->a, p->b);
	else
		waits = run_module_post(w, p);
	if (!waits)
		free(p);
}

/* Apart, so that a turn without posts saves no registers for it. */
static __attribute__((noinline)) void run_all(struct hd_worker *w)
{
	struct hd_inbox *inbox = &w->inbox;

	inbox_take(inbox);
	while (inbox->taken != NULL) {
		struct hd_post *p = inbox->taken;

		inbox->taken = p->next;
		run(w, p);
	}
}

void hd_inbox_run(struct hd_worker *w)
{
	if (!hd_inbox_empty(&w->inbox) || w->inbox.taken != NULL)
		run_all(w);
}

void hd_inbox_shut(struct hd_worker *w)
{
	pthread_mutex_lock(&w->inbox.lock);
	w->inbox.shut = true;
	pthread_mutex_unlock(&w->inbox.lock);
	hd_inbox_run(w);
}

void hd_inbox_phase(struct hd_worker *w, const struct hd_module *mod,
		    enum hd_module_phase phase)
{
	pthread_mutex_lock(&w->inbox.lock);
	w->mods[mod->index].phase = phase;
	pthread_mutex_unlock(&w->inbox.lock);
}

void hd_inbox_close(struct hd_worker *w, const struct hd_module *mod)
{
	bool started = w->mods[mod->index].phase == HD_MOD_STARTED;

	hd_inbox_phase(w, mod, started ? HD_MOD_STOPPING : HD_MOD_NONE);
	hd_inbox_run(w);
}
