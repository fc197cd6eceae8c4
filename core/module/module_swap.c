/* SPDX-License-Identifier: MIT */
/* core/module/module_swap.c - the part of a reload during which all workers
 * are parked. Context: main thread; ..._here() in a worker, run by the main
 * thread. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <stdio.h>
#include "core/loop/inbox.h"
#include "core/loop/worker.h"
#include "core/module/hook.h"
#include "core/module/module_live.h"
#include "core/module/registry.h"

enum { SETTLE_ROUNDS = 200 };

/* ---- in workers ---- */

static void settle_here(struct hd_worker *w, void *arg)
{
	(void)arg;
	hd_inbox_run(w);
}

static void finish_here(struct hd_worker *w, void *arg)
{
	struct hd_reload *r = arg;

	w->reloading = NULL;
	hd_protos_swap(&r->protos, r->mod, w);
	if (r->old.handle != NULL)
		hd_module_scan(r->mod, w, r->old.def.name);
	hd_life_show_here(w, r->mod, r->life.kept);
}

/* Neither code runs any more. */
static void give_up_here(struct hd_worker *w, void *arg)
{
	struct hd_reload *r = arg;

	w->reloading = NULL;
	hd_protos_swap(&(struct hd_protos){ 0 }, r->mod, w);
	hd_life_hide_here(w, r->mod);
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

	int e = r->edited == NULL
			? 0
			: hd_conf_section_take(conf, r->edited, mod->name,
					       &r->old_text);
	if (e < 0) {
		r->edited = NULL;
		return hd_error_set(err, e, "out of memory");
	}
	if (!r->same_section || r->edited != NULL)
		return hd_module_section_load(conf, mod, err);
	return hd_conf_section_put(conf, mod->name, mod->def->options,
				   (void *)mod->conf);
}

static void all_out(struct hd_reload *r)
{
	hd_life_stop(&r->life);
	hd_life_unload(r->mod);
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

	return e == 0 ? hd_life_in(&r->life, err) : e;
}

static bool is_guard(const struct hd_module *mod)
{
	return mod->def->flags & HD_MODULE_GUARD;
}

/* Neither code starts. Without one that says who may log in nobody may. */
static int lost(struct hd_reload *r, const struct hd_error *old,
		struct hd_error *err)
{
	const char *name = r->mod->name;
	struct hd_error new = *err;
	char closed[200] = "";

	if (is_guard(r->mod)) {
		hd_guard_lost(name);
		hd_registry_publish();
		snprintf(closed, sizeof(closed),
			 "; it says who may log in, so nobody can: mend it, "
			 "then `hdctl module load %s`",
			 name);
	}
	hd_log_write(HD_LOG_ERROR,
		     "module %s: neither its new nor its old code starts, it "
		     "is not loaded any more%s: %s",
		     name, closed, old->text);
	hd_live_event(name, "lost");
	return hd_error_set(err, -ESTALE,
			    "%s; its old code does not start either, it is not "
			    "loaded any more%s",
			    new.text, closed);
}

/* Returns what the old code says to that. */
static int old_back(struct hd_reload *r, struct hd_error *err)
{

	r->new = take_file(r->mod);
	hd_module_set_file(r->mod, &r->old);
	hd_module_section_set(r->mod, r->old_section);
	if (r->edited != NULL)
		hd_conf_section_swap(hd_modules_conf(), r->mod->name,
				     r->old_text);
	hd_conf_section_put(hd_modules_conf(), r->mod->name,
			    r->mod->def->options, (void *)r->old_section);
	return hd_life_in(&r->life, err);
}

int hd_reload_swap(struct hd_reload *r, struct hd_error *err)
{
	all_out(r);
	/* its numbers are moved to other tables: who asks finds none */
	hd_module_list(r->mod, false);
	struct hd_error old = { "" };
	int e = new_in(r, err);

	if (e < 0 && old_back(r, &old) < 0)
		e = lost(r, &old, err);
	hd_protos_match(&r->protos, r->mod);
	hd_workers_unpark(e == -ESTALE ? give_up_here : finish_here, r);
	hd_registry_reclaim();
	return e;
}
