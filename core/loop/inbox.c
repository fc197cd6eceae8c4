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

static int inbox_put(struct hd_inbox *inbox, struct hd_post *post)
{
	int r = 0;

	pthread_mutex_lock(&inbox->lock);
	if (inbox->shut) {
		r = -ESHUTDOWN;
	} else if (inbox->last != NULL) {
		inbox->last->next = post;
		inbox->last = post;
	} else {
		inbox->last = post;
		__atomic_store_n(&inbox->first, post, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&inbox->lock);
	return r;
}

static int post(struct hd_worker *w, const struct hd_post *what)
{
	struct hd_post *p = malloc(sizeof(*p));

	if (p == NULL)
		return -ENOMEM;
	*p = *what;
	int r = inbox_put(&w->inbox, p);

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

int hd_post(struct hd_module *mod, struct hd_worker *w, hd_post_fn *fn,
	    void *arg)
{
	struct hd_post p = { .mod = mod, .mod_fn = fn, .a = arg };

	__atomic_add_fetch(&mod->posts, 1, __ATOMIC_RELAXED);
	int r = post(w, &p);

	if (r < 0)
		__atomic_sub_fetch(&mod->posts, 1, __ATOMIC_RELEASE);
	return r;
}

static struct hd_post *inbox_take(struct hd_inbox *inbox)
{
	pthread_mutex_lock(&inbox->lock);
	struct hd_post *first = inbox->first;

	__atomic_store_n(&inbox->first, NULL, __ATOMIC_RELEASE);
	inbox->last = NULL;
	pthread_mutex_unlock(&inbox->lock);
	return first;
}

static void call(struct hd_worker *w, const struct hd_post *p)
{
	struct hd_account *before =
		hd_meter_enter(&w->meter, hd_account_of(w, p->mod));

	p->mod_fn(p->mod, w, p->a);
	hd_meter_leave(&w->meter, before);
}

/* Returns whether it waits: its module is just starting in this worker. */
static bool run_module_post(struct hd_worker *w, struct hd_post *p)
{
	uint8_t phase = w->mods[p->mod->index].phase;

	if (phase == HD_MOD_STARTING && inbox_put(&w->inbox, p) == 0)
		return true;
	if (phase == HD_MOD_STARTED)
		call(w, p);
	__atomic_sub_fetch(&p->mod->posts, 1, __ATOMIC_RELEASE);
	return false;
}

void hd_inbox_run(struct hd_worker *w)
{
	if (hd_inbox_empty(&w->inbox))
		return;
	struct hd_post *p = inbox_take(&w->inbox);

	while (p != NULL) {
		struct hd_post *next = p->next;

		bool waits = false;

		p->next = NULL;
		if (p->fn != NULL)
			p->fn(w, p->a, p->b);
		else
			waits = run_module_post(w, p);
		if (!waits)
			free(p);
		p = next;
	}
}

void hd_inbox_shut(struct hd_worker *w)
{
	pthread_mutex_lock(&w->inbox.lock);
	w->inbox.shut = true;
	pthread_mutex_unlock(&w->inbox.lock);
	hd_inbox_run(w);
}
