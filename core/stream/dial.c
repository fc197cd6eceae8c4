/* SPDX-License-Identifier: MIT */
/* core/stream/dial.c - connections that modules open.
 *
 *               addresses, CAs          connected          TLS done
 *   hd_dial() ---> LOOKUP --> CONNECTING --------> SHAKING --------> told
 *                    |         |  ^ `--- no TLS --------------------^
 *                    |         `--' the next address     |
 *                    `---- error, limit, cancelled ------'---------> told
 *
 * From CONNECTING on there is a stream, which the module has not heard of; the
 * dial is its user (struct hd_stream_user). Once told, the dial is no more: at
 * once, or with the stream that failed. Context: the worker. */
#include "core/stream/dial.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/dry.h"
#include "core/base/module_id.h"
#include "core/loop/inbox.h"
#include "core/stream/dial_private.h"
#include "core/stream/stream_worker.h"

enum { UNDER_WAY_MAX = 1024 }; /* of a module */

void hd_dial_free(struct hd_dial *d)
{
	hd_timer_free(&d->timer);
	SSL_CTX_free(d->ctx);
	hd_dial_target_free(&d->to);
	free(d);
}

/* ---- it begins ---- */

static struct hd_dial *find(struct hd_worker *w, uint64_t id)
{
	return hd_slots_get(&w->streams->dials, (uint32_t)(id >> 32) - 1,
			    (uint32_t)id);
}

static void looked_up(struct hd_worker *w, struct hd_dial_job *job)
{
	struct hd_dial *d = find(w, job->id);

	if (d != NULL && job->error < 0) {
		hd_dial_fail(d, job->error, job->err.text);
	} else if (d != NULL) {
		d->ctx = hd_steal(&job->ctx);
		d->n_addrs = job->n_addrs;
		memcpy(d->addrs, job->addrs, sizeof(d->addrs));
		hd_dial_try_next(d);
	}
	hd_dial_job_free(job);
}

static unsigned count(const struct hd_worker *w, const struct hd_module *mod)
{
	const struct hd_slots *all = &w->streams->dials;
	unsigned n = 0;

	for (uint32_t i = 0; i < all->n; i++) {
		const struct hd_dial *d = all->v[i].object;

		n += d != NULL && d->mod == mod;
	}
	return n;
}

static bool is_leaving(const struct hd_module *mod, const struct hd_worker *w)
{
	uint8_t phase = w->mods[mod->index].phase;

	return w->stopping ||
	       __atomic_load_n(&mod->closing, __ATOMIC_SEQ_CST) ||
	       (phase != HD_MOD_STARTING && phase != HD_MOD_STARTED);
}

static bool may_speak(const struct hd_module *mod, const struct hd_proto *proto)
{
	const struct hd_proto *const *v = mod->def->dials;

	while (v != NULL && *v != NULL && *v != proto)
		v++;
	return v != NULL && *v != NULL && proto->data != NULL;
}

static int may_dial(const struct hd_module *mod, const struct hd_worker *w,
		    const struct hd_proto *proto, struct hd_error *err)
{
	if (!may_speak(mod, proto))
		return hd_error_set(err, -EINVAL,
				    "module %s: what it speaks where it dials "
				    "stands in hd_module_def.dials, and has "
				    "data()",
				    mod->name);
	if (hd_dry)
		return 0;
	if (is_leaving(mod, w))
		return hd_error_set(err, -EBUSY, "module %s is about to go",
				    mod->name);
	if (count(w, mod) >= UNDER_WAY_MAX)
		return hd_error_set(err, -ENOBUFS,
				    "%d connections of module %s are being "
				    "opened already",
				    UNDER_WAY_MAX, mod->name);
	return 0;
}

static int begin(struct hd_dial *d, const struct hd_dial_options *o)
{
	int r = hd_dial_copy(&d->to, o);

	if (r < 0)
		return r;
	d->timer = hd_timer_new(NULL, d->w, hd_dial_late, d);
	if (d->timer == NULL)
		return -ENOMEM;
	r = hd_slots_add(&d->w->streams->dials, d, &d->slot, &d->gen);
	if (r < 0)
		return r;
	r = hd_dial_look_up(d->w, hd_dial_id(d), &d->to, looked_up);
	if (r < 0) {
		hd_slots_remove(&d->w->streams->dials, d->slot);
		return r;
	}
	__atomic_add_fetch(&d->mod->dials, 1, __ATOMIC_SEQ_CST);
	d->until_ms = d->w->now_ms + d->to.connect_ms;
	hd_timer_set(d->timer, d->to.connect_ms);
	return 0;
}

static int dial(const struct hd_dial *what, const struct hd_dial_options *o,
		uint64_t *ret_id, struct hd_error *err)
{
	struct hd_dial *d = malloc(sizeof(*d));
	int r = -ENOMEM;

	if (d != NULL) {
		*d = *what;
		r = begin(d, o);
	}
	if (r == 0)
		*ret_id = hd_dial_id(d);
	else if (d != NULL)
		hd_dial_free(d);
	return r < 0 ? hd_error_set(err, r, "module %s cannot dial: %s",
				    what->mod->name, strerror(-r))
		     : 0;
}

int hd_dial_sized(struct hd_module *mod, struct hd_worker *w,
		  const struct hd_dial_options *options, size_t size,
		  hd_dial_fn *fn, void *arg, hd_drop_fn *drop, uint64_t *ret_id,
		  struct hd_error *err)
{
	struct hd_dial_options o = hd_dial_widen(options, size);
	const struct hd_dial what = { .user.ops = &hd_dial_user,
				      .mod = mod,
				      .w = w,
				      .proto = o.proto,
				      .fn = fn,
				      .drop = drop,
				      .arg = arg };
	uint64_t id = 0;
	int r = hd_dial_check_sized(&o, sizeof(o), err);

	if (r == 0)
		r = may_dial(mod, w, o.proto, err);
	if (r == 0 && !hd_dry)
		r = dial(&what, &o, &id, err);
	if (r < 0 || hd_dry)
		hd_drop(drop, arg);
	if (ret_id != NULL)
		*ret_id = id;
	return r;
}

/* ---- it is given up ---- */

void hd_dial_cancel(struct hd_module *mod, struct hd_worker *w, uint64_t id)
{
	struct hd_dial *d = find(w, id);

	if (d != NULL && d->mod == mod)
		hd_dial_forget(d);
}

/* @mod  NULL: of all modules */
static void each(struct hd_worker *w, const struct hd_module *mod,
		 void (*fn)(struct hd_dial *d))
{
	const struct hd_slots *all = &w->streams->dials;

	for (uint32_t i = 0; i < all->n; i++) {
		struct hd_dial *d = all->v[i].object;

		if (d != NULL && (mod == NULL || d->mod == mod))
			fn(d);
	}
}

/* Where start() has failed there is nobody to tell. */
static void cancel_here(struct hd_worker *w, const struct hd_module *mod)
{
	bool runs = w->mods[mod->index].phase == HD_MOD_STARTED;

	each(w, mod, runs ? hd_dial_cancelled : hd_dial_forget);
}

static void end_here(struct hd_worker *w, struct hd_module *mod, bool kept)
{
	(void)kept;
	each(w, mod, hd_dial_forget);
}

static unsigned busy(const struct hd_module *mod)
{
	return __atomic_load_n(&mod->dials, __ATOMIC_SEQ_CST);
}

static void hurry_here(struct hd_worker *w, void *mod)
{
	each(w, mod, hd_dial_cancelled);
}

static void hurry(const struct hd_module *mod)
{
	if (busy(mod) > 0)
		hd_workers_run_all(hurry_here, (void *)mod);
}

const struct hd_kind hd_dial_kind = {
	.name = "connections that are being opened",
	.busy = busy,
	.busy_text = "a connection that it opens",
	.hurry = hurry,
	.cancel_here = cancel_here,
	.end_here = end_here,
};

void hd_dials_stop(struct hd_worker *w)
{
	each(w, NULL, hd_dial_cancelled);
}
