/* SPDX-License-Identifier: MIT */
/* core/module/module_life.c - see module_life.h. */
#include "core/module/module_life.h"
#include <errno.h>
#include <hyper-derp/log.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/bug.h"
#include "core/base/lines.h"
#include "core/base/metric_table.h"
#include "core/loop/task.h"
#include "core/loop/worker.h"
#include "core/module/hook.h"
#include "core/module/module_live.h"
#include "core/module/registry.h"
#include "core/stream/service.h"

static void in_workers(struct hd_life *l, hd_run_fn *fn)
{
	if (l->parked)
		hd_workers_run_parked(fn, l);
	else
		hd_workers_run_all(fn, l);
}

/* ---- load() and unload() ---- */

/* An error that the module did not explain gets errno's words. */
static int explain(int r, struct hd_error *err)
{
	if (r < 0 && err->text[0] == '\0')
		hd_error_set(err, r, "it refuses to start: %s", strerror(-r));
	return HD_MIN(r, 0);
}

int hd_life_check(struct hd_module *mod, struct hd_error *err)
{
	int r = 0;

	err->text[0] = '\0';
	if (mod->def->check != NULL)
		r = explain(mod->def->check(mod, mod->conf, err), err);
	return r == 0 ? hd_services_add(mod, err) : r;
}

static int load(struct hd_module *mod, struct hd_error *err)
{
	int r = hd_life_check(mod, err);

	if (r == 0 && mod->def->load != NULL)
		r = explain(mod->def->load(mod, err), err);
	if (r == 0)
		r = hd_services_check_listens(mod, err);
	mod->priv->loaded = r == 0;
	return r;
}

/* Only at the end of the relay: in all other cases somebody has waited. */
static void leave_code(struct hd_module *mod)
{
	hd_log_write(HD_LOG_WARN,
		     "module %s: its background work has not ended; its code "
		     "is left as it is, without unload()",
		     mod->name);
	mod->priv->file.handle = NULL;
}

void hd_life_unload(struct hd_module *mod)
{
	bool works = !hd_tasks_end(mod);

	if (mod->priv->loaded && mod->def->unload != NULL && !works)
		mod->def->unload(mod);
	mod->priv->loaded = false;
	hd_registry_withdraw(mod);
	if (works)
		leave_code(mod);
}

/* ---- start() ---- */

static void answer(struct hd_life *l, int r, const struct hd_error *err)
{
	pthread_mutex_lock(&l->lock);
	if (r < 0 && l->result == 0) {
		l->result = r;
		*l->err = *err;
		if (err->text[0] == '\0')
			hd_error_set(l->err, r, "it does not start: %s",
				     strerror(-r));
	}
	pthread_mutex_unlock(&l->lock);
}

/* What the code of before left in this worker. */
static int carry_over(struct hd_worker_module *wm, const struct hd_life *l)
{
	const struct hd_module_def *def = l->mod->def;
	void *v = hd_alloc_lines(def->metrics_size);

	if (v != NULL)
		hd_metrics_carry(v, def->metrics, wm->metrics, l->metrics);
	free(wm->metrics);
	wm->metrics = v;
	if (!l->kept) {
		free(wm->data);
		wm->data = NULL;
	}
	return v != NULL ? 0 : -ENOMEM;
}

static void prepare_here(struct hd_worker *w, void *arg)
{
	struct hd_life *l = arg;
	struct hd_error err = { "" };
	int r = 0;

	if (l->parked)
		r = carry_over(&w->mods[l->mod->index], l);
	if (r == 0)
		r = hd_module_prepare(l->mod, w, &err);
	answer(l, r, &err);
}

static void start_here(struct hd_worker *w, void *arg)
{
	struct hd_life *l = arg;
	struct hd_error err = { "" };

	answer(l, hd_module_start(l->mod, w, &err), &err);
}

/* Workers post to each other: none starts before all are prepared. */
static int start_all(struct hd_life *l, struct hd_error *err)
{
	l->result = 0;
	l->err = err;
	pthread_mutex_init(&l->lock, NULL);
	in_workers(l, prepare_here);
	if (l->result == 0)
		in_workers(l, start_here);
	pthread_mutex_destroy(&l->lock);
	l->metrics = l->mod->def->metrics;
	return l->result;
}

int hd_life_in(struct hd_life *l, struct hd_error *err)
{
	hd_tasks_hold(l->mod);
	hd_registry_draft();
	int r = load(l->mod, err);
	if (r == 0) {
		r = start_all(l, err);
		if (r < 0) {
			hd_tasks_end(l->mod);
			hd_life_stop(l);
		}
	}
	if (r < 0) {
		hd_life_unload(l->mod);
	} else {
		hd_guard_back(l->mod->name);
		hd_tasks_release(l->mod);
	}
	hd_registry_publish();
	return r;
}

/* ---- stop() ---- */

static void stop_here(struct hd_worker *w, void *arg)
{
	const struct hd_life *l = arg;

	hd_registry_cancel_here(w, l->mod);
	hd_module_stop(l->mod, w, l->kept);
}

static void free_here(struct hd_worker *w, void *arg)
{
	const struct hd_life *l = arg;

	hd_module_free(l->mod, w);
}

bool hd_life_stop(struct hd_life *l)
{
	in_workers(l, stop_here);
	/* each worker has refused posts, and then run those that it had */
	unsigned n = __atomic_load_n(&l->mod->posts, __ATOMIC_ACQUIRE);

	if (n > 0)
		hd_bug_once("posts outlive stop(): module=%s n=%u",
			    l->mod->name, n);
	if (!l->parked && n == 0)
		in_workers(l, free_here);
	return n == 0;
}

/* ---- shown and hidden ---- */

void hd_life_show_here(struct hd_worker *w, struct hd_module *mod, bool kept)
{
	hd_registry_sync_here(w, mod);
	if (mod->def->serving != NULL)
		mod->def->serving(mod, w, w->serving);
	hd_registry_settle_here(w, mod, kept);
}

void hd_life_hide_here(struct hd_worker *w, struct hd_module *mod)
{
	hd_registry_cancel_here(w, mod);
	hd_registry_sync_here(w, mod);
	hd_registry_settle_here(w, mod, false);
}

static void show_here(struct hd_worker *w, void *mod)
{
	hd_life_show_here(w, mod, true);
}

static void hide_here(struct hd_worker *w, void *mod)
{
	hd_life_hide_here(w, mod);
}

static void hide_early_here(struct hd_worker *w, void *mod)
{
	hd_registry_cancel_here(w, mod);
	hd_registry_sync_here(w, mod);
}

void hd_life_show(struct hd_module *mod)
{
	hd_workers_run_all(show_here, mod);
	hd_module_list(mod, true);
}

void hd_life_hide(struct hd_module *mod)
{
	hd_registry_withdraw(mod);
	hd_registry_publish();
	hd_module_list(mod, false);
	hd_workers_run_all(hide_here, mod);
}

void hd_life_hide_early(struct hd_module *mod)
{
	hd_registry_withdraw_early(mod);
	hd_registry_publish();
	hd_module_list(mod, false);
	hd_workers_run_all(hide_early_here, mod);
}

/* ---- the end ---- */

bool hd_life_forget(struct hd_module *mod)
{
	char name[HD_MODULE_NAME_BYTES];

	strcpy(name, mod->name);
	/* before the lock: a resident module's thread, for whose end unload()
	 * waits, may be reading the modules' numbers */
	hd_life_unload(mod);
	hd_module_lock();
	hd_registry_reclaim();
	hd_conf_section_drop(hd_modules_conf(), name);
	bool gone = hd_module_remove(mod);
	hd_module_unlock();
	return gone;
}
