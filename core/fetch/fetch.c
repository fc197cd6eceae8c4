/* SPDX-License-Identifier: MIT */
/* core/fetch/fetch.c - requests of modules, from hd_fetch() to the callback.
 * What is on its way between threads is under one lock; fetch_thread.c does the
 * work. */
#include "core/fetch/fetch.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>
#include "core/base/clock.h"
#include "core/base/dry.h"
#include "core/base/module_id.h"
#include "core/fetch/fetch_private.h"
#include "core/loop/inbox.h"

enum { WAITING_MAX = 1024 }; /* of a module */

struct hd_fetches hd_fetches = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.wake_fd = -1,
};

static void lock(void)
{
	pthread_mutex_lock(&hd_fetches.lock);
}

static void unlock(void)
{
	pthread_mutex_unlock(&hd_fetches.lock);
}

/* ---- the lists ---- */

static void free_fetch(struct fetch *f)
{
	hd_fetch_job_free(&f->job);
	free(f->head.p);
	free(f->body.p);
	free(f->url);
	free(f);
}

void hd_fetch_move(struct fetch *f, enum hd_fetch_state to)
{
	DL_DELETE(hd_fetches.lists[f->state], f);
	hd_fetches.n_running += to == HD_FETCH_RUNNING;
	hd_fetches.n_running -= f->state == HD_FETCH_RUNNING;
	f->state = to;
	DL_APPEND(hd_fetches.lists[to], f);
}

static unsigned count(const struct hd_module *mod, unsigned first_state,
		      unsigned last_state)
{
	unsigned n = 0;
	struct fetch *f;

	for (unsigned i = first_state; i <= last_state; i++)
		DL_FOREACH (hd_fetches.lists[i], f)
			n += f->mod == mod;
	return n;
}

/* Nobody is to be called; what was to be handed over goes now, while the code
 * that knows how is there. */
static void forget(struct fetch *f)
{
	if (f->mod != NULL)
		hd_drop(f->drop, f->arg);
	f->mod = NULL;
	f->give_up = true;
}

static void wake(void)
{
	if (hd_fetches.wake_fd >= 0)
		eventfd_write(hd_fetches.wake_fd, 1);
}

/* With the lock held. @mod  NULL: of all modules */
static void mark_all(const struct hd_module *mod, bool forgotten)
{
	struct fetch *f;

	for (unsigned i = 0; i < HD_FETCH_STATES; i++) {
		DL_FOREACH (hd_fetches.lists[i], f) {
			if (mod != NULL && f->mod != mod)
				continue;
			f->give_up = true;
			if (forgotten)
				forget(f);
		}
	}
	wake();
}

static void end_all(const struct hd_module *mod, bool forgotten)
{
	lock();
	mark_all(mod, forgotten);
	unlock();
}

/* ---- the callback ---- */

static void call_back(struct fetch *f, struct hd_module *mod,
		      struct hd_worker *w)
{
	const struct hd_fetched got = {
		.error = f->error,
		.text = f->text,
		.status = f->status,
		.url = f->url != NULL ? f->url : "",
		.body = f->body.p != NULL ? f->body.p : "",
		.body_len_bytes = f->body.n,
		.head = f->head.p != NULL ? f->head.p : "",
	};

	f->fn(mod, w, f->arg, &got);
}

/* Out of the list first: fn may ask for more. */
static void deliver(struct fetch *f, struct hd_worker *w)
{
	lock();
	struct hd_module *mod = f->mod;

	DL_DELETE(hd_fetches.lists[f->state], f);
	unlock();
	if (mod != NULL)
		call_back(f, mod, w);
	free_fetch(f);
}

static void deliver_here(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	(void)mod; /* f knows whether it is still to be called */
	deliver(arg, w);
}

static void deliver_main(struct hd_main_post *post)
{
	deliver(hd_container_of(post, struct fetch, post), NULL);
}

/* The module does not run in that worker any more. */
static void discard(struct fetch *f)
{
	forget(f);
	DL_DELETE(hd_fetches.lists[f->state], f);
	free_fetch(f);
}

static void discard_here(void *arg)
{
	lock();
	discard(arg);
	unlock();
}

void hd_fetch_deliver(struct fetch *f)
{
	hd_fetch_move(f, HD_FETCH_DELIVERED);
	f->post.fn = deliver_main;
	if (f->mod == NULL)
		discard(f);
	else if (f->w == NULL)
		hd_main_post(&f->post);
	else if (hd_inbox_offer(f->mod, f->w, deliver_here, f, discard_here) <
		 0)
		discard(f);
}

/* ---- hd_fetch() ---- */

static int check_room(const struct hd_module *mod, struct hd_error *err)
{
	if (hd_fetches.stopping)
		return hd_error_set(err, -ESHUTDOWN, "the relay is stopping");
	/* whoever closes the module sets the flag first, then counts */
	if (__atomic_load_n(&mod->closing, __ATOMIC_SEQ_CST))
		return hd_error_set(err, -EBUSY, "module %s is about to go",
				    mod->name);
	if (count(mod, HD_FETCH_WAITING, HD_FETCH_WAITING) >= WAITING_MAX)
		return hd_error_set(err, -ENOBUFS,
				    "%d requests of module %s wait for their "
				    "turn",
				    WAITING_MAX, mod->name);
	return 0;
}

static int enter(struct fetch *f, struct hd_error *err)
{
	int r = check_room(f->mod, err);

	if (r < 0)
		return r;
	r = hd_fetch_thread_start();
	if (r < 0)
		return hd_error_set(err, r, "a thread for requests: %s",
				    strerror(-r));
	f->id = ++hd_fetches.last_id;
	DL_APPEND(hd_fetches.lists[HD_FETCH_WAITING], f);
	wake();
	return 0;
}

static int ask(struct fetch *f, const struct hd_fetch_request *request,
	       size_t request_size, uint64_t *ret_id, struct hd_error *err)
{
	int r = hd_fetch_job_make(&f->job, request, request_size, err);

	if (r < 0)
		return r;
	f->body.max = f->job.answer_max_bytes;
	f->until_ms = hd_clock_ms() + f->job.timeout_ms;
	lock();
	r = enter(f, err);
	*ret_id = r == 0 ? f->id : 0;
	unlock();
	return r;
}

int hd_fetch_sized(struct hd_module *mod, struct hd_worker *w,
		   const struct hd_fetch_request *request, size_t request_size,
		   hd_fetch_fn *fn, void *arg, hd_drop_fn *drop,
		   uint64_t *ret_id, struct hd_error *err)
{
	struct fetch *f = hd_dry ? NULL : calloc(1, sizeof(*f));
	uint64_t id = 0;
	int r = f != NULL ? 0 : -ENOMEM;

	if (hd_dry)
		r = hd_fetch_check_sized(request, request_size, err);
	else if (f == NULL)
		hd_error_set(err, r, "a request: out of memory");
	if (f != NULL) {
		f->mod = mod;
		f->w = w;
		f->fn = fn;
		f->arg = arg;
		f->drop = drop;
		r = ask(f, request, request_size, &id, err);
	}
	if (r < 0 || hd_dry)
		hd_drop(drop, arg);
	if (r < 0 && f != NULL)
		free_fetch(f);
	if (ret_id != NULL)
		*ret_id = id;
	return r;
}

void hd_fetch_cancel(struct hd_module *mod, uint64_t id)
{
	struct fetch *f;

	lock();
	for (unsigned i = 0; i < HD_FETCH_STATES; i++)
		DL_FOREACH (hd_fetches.lists[i], f)
			if (f->id == id && f->mod == mod)
				forget(f);
	wake();
	unlock();
}

/* ---- the core's side ---- */

static void withdraw(const struct hd_module *mod)
{
	end_all(mod, true);
}

static void end_here(struct hd_worker *w, struct hd_module *mod, bool kept)
{
	(void)w;
	(void)kept; /* its functions go all the same */
	end_all(mod, true);
}

static unsigned busy(const struct hd_module *mod)
{
	lock();
	unsigned n = count(mod, HD_FETCH_WAITING, HD_FETCH_DELIVERED);

	unlock();
	return n;
}

static void hurry(const struct hd_module *mod)
{
	end_all(mod, false);
}

const struct hd_kind hd_fetch_kind = {
	.name = "requests",
	.withdraw = withdraw,
	.end_here = end_here,
	.busy = busy,
	.busy_text = "a request to another server",
	.hurry = hurry,
	.to_the_last = true,
};

void hd_fetches_stop(void)
{
	lock();
	bool runs = hd_fetches.wake_fd >= 0;

	hd_fetches.stopping = true;
	mark_all(NULL, false);
	unlock();
	if (!runs)
		return;
	pthread_join(hd_fetches.thread, NULL);
	close(hd_fetches.wake_fd);
	hd_fetches.wake_fd = -1;
}

void hd_fetches_free(void)
{
	struct fetch *f, *next;

	for (unsigned i = 0; i < HD_FETCH_STATES; i++)
		DL_FOREACH_SAFE (hd_fetches.lists[i], f, next) {
			DL_DELETE(hd_fetches.lists[i], f);
			free_fetch(f);
		}
	hd_fetches.stopping = false;
}
