/* SPDX-License-Identifier: MIT */
/* core/module/module_swap.c - the part of a reload during which all workers
 * are parked. Context: main thread; ..._here() in a worker, run by the main
 * thread. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <stdlib.h>
#include <string.h>
#include "core/loop/inbox.h"
#include "core/loop/worker.h"
#include "core/module/module_live.h"
#include "core/module/registry.h"

enum { SETTLE_ROUNDS = 200 };

/* ---- in workers ---- */

static void settle_here(struct hd_worker *w, void *arg)
{
	(void)arg;
	hd_inbox_run(w);
}

static void stop_here(struct hd_worker *w, void *arg)
{
	struct hd_reload *r = arg;
	struct hd_worker_module *wm = &w->mods[r->mod->index];

	hd_registry_cancel_here(w, r->mod);
	hd_inbox_run(w); /* streams that are on their way here arrive */
	w->reloading = r->keep ? r->mod : NULL;
	if (wm->phase == HD_MOD_STARTED)
		hd_module_stop(r->mod, w);
	hd_registry_end_here(w, r->mod, r->keep);
	wm->phase = HD_MOD_FAILED; /* posts are dropped */
}

static int carry_metrics(struct hd_worker_module *wm, const struct hd_reload *r)
{
	uint64_t *v =
		hd_metrics_carry(wm->metrics, r->metrics, r->mod->def->metrics);

	free(wm->metrics);
	wm->metrics = v;
	return v != NULL ? 0 : -ENOMEM;
}

static int start_in(struct hd_worker *w, struct hd_reload *r,
		    struct hd_error *err)
{
	struct hd_worker_module *wm = &w->mods[r->mod->index];
	int e = carry_metrics(wm, r);

	if (!r->keep) {
		free(wm->data);
		wm->data = NULL;
	}
	if (e == 0)
		e = hd_module_prepare(r->mod, w, err);
	if (e == 0)
		e = hd_module_start(r->mod, w, err);
	if (e < 0 && err->text[0] == '\0')
		hd_error_set(err, e, "it does not start: %s", strerror(-e));
	return e;
}

static void start_here(struct hd_worker *w, void *arg)
{
	struct hd_reload *r = arg;
	struct hd_error err = { "" };
	int e = start_in(w, r, &err);

	pthread_mutex_lock(&r->lock);
	if (e < 0 && r->result == 0) {
		r->result = e;
		*r->err = err;
	}
	pthread_mutex_unlock(&r->lock);
}

static void finish_here(struct hd_worker *w, void *arg)
{
	struct hd_reload *r = arg;
	struct hd_module *mod = r->mod;

	w->reloading = NULL;
	hd_registry_sync_here(w, mod);
	hd_protos_swap(&r->protos, mod, w);
	if (r->old.handle != NULL)
		hd_module_scan(mod, w, r->old.def.name);
	if (mod->def->serving != NULL)
		mod->def->serving(mod, w, w->serving);
	hd_registry_settle_here(w, mod, r->keep);
}

/* Neither code runs any more. */
static void give_up_here(struct hd_worker *w, void *arg)
{
	struct hd_reload *r = arg;

	w->reloading = NULL;
	hd_registry_sync_here(w, r->mod);
	hd_protos_swap(&(struct hd_protos){ 0 }, r->mod, w);
	hd_registry_settle_here(w, r->mod, false);
	hd_module_free(r->mod, w);
}

/* ---- while they are parked ---- */

/* Posts that are under way name functions of the old code. */
int hd_reload_settle(const struct hd_module *mod, struct hd_error *err)
{
	for (unsigned i = 0; i < SETTLE_ROUNDS; i++) {
		if (__atomic_load_n(&mod->posts, __ATOMIC_ACQUIRE) == 0)
			return 0;
		hd_workers_run_parked(settle_here, NULL);
	}
	return hd_error_set(err, -EBUSY,
			    "busy: %s: its workers post to each other without "
			    "end; nothing has changed",
			    mod->name);
}

static int set_section(struct hd_reload *r, struct hd_error *err)
{
	struct hd_conf *conf = hd_modules_conf();
	struct hd_module *mod = r->mod;

	if (!r->same_section)
		return hd_module_section_load(conf, mod, err);
	return hd_conf_section_put(conf, mod->name, mod->def->options,
				   (void *)mod->conf);
}

static int run_load(struct hd_reload *r, struct hd_error *err)
{
	hd_registry_draft();
	int e = hd_module_run_load(r->mod, err);

	if (e < 0)
		hd_module_run_unload(r->mod);
	hd_registry_publish();
	return e;
}

static int start_all(struct hd_reload *r, struct hd_error *err)
{
	r->result = 0;
	r->err = err;
	hd_workers_run_parked(start_here, r);
	r->metrics = r->mod->def->metrics;
	return r->result;
}

static void stop_all(struct hd_reload *r)
{
	hd_workers_run_parked(stop_here, r);
	if (__atomic_load_n(&r->mod->posts, __ATOMIC_ACQUIRE) > 0)
		hd_workers_run_parked(settle_here, NULL); /* drops them */
	hd_module_run_unload(r->mod);
}

static struct hd_module_file take_file(struct hd_module *mod)
{
	struct hd_module_file file = mod->priv->file;

	mod->priv->file = (struct hd_module_file){ .copy_fd = -1 };
	return file;
}

static int new_in(struct hd_reload *r, struct hd_error *err)
{
	r->old = take_file(r->mod);
	hd_module_set_file(r->mod, &r->new);
	int e = set_section(r, err);
	if (e == 0)
		e = run_load(r, err);
	if (e < 0)
		return e;
	e = start_all(r, err);
	if (e < 0)
		stop_all(r);
	return e;
}

/* Returns what the old code says to that. */
static int old_back(struct hd_reload *r)
{
	struct hd_conf *conf = hd_modules_conf();
	struct hd_error err = { "" };

	r->new = take_file(r->mod);
	hd_module_set_file(r->mod, &r->old);
	hd_module_section_set(r->mod, r->old_section);
	hd_conf_section_put(conf, r->mod->name, r->mod->def->options,
			    (void *)r->old_section);
	int e = run_load(r, &err);
	if (e == 0) {
		e = start_all(r, &err);
		if (e < 0)
			stop_all(r);
	}
	if (e < 0)
		hd_log_write(HD_ERROR,
			     "module %s: neither its new nor its old code "
			     "starts, its connections are closed: %s",
			     r->mod->name, err.text);
	return e;
}

int hd_reload_swap(struct hd_reload *r, struct hd_error *err)
{
	stop_all(r);
	/* its numbers are moved to other tables: who asks finds none */
	hd_module_list(r->mod, false);
	int e = new_in(r, err);

	if (e < 0 && old_back(r) < 0)
		e = -ESTALE;
	hd_protos_match(&r->protos, r->mod);
	hd_workers_unpark(e == -ESTALE ? give_up_here : finish_here, r);
	hd_registry_reclaim();
	return e;
}
