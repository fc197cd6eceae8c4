/* SPDX-License-Identifier: MIT */
/* core/module/module_run.c - modules in workers: their data, their view of the
 * configuration, start and stop. The sections of the current and of the next
 * configuration live here; both are only changed while no worker looks. */
#include <errno.h>
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/lines.h"
#include "core/loop/inbox.h"
#include "core/loop/timer.h"
#include "core/loop/worker.h"
#include "core/module/metric_family.h"
#include "core/module/module_private.h"
#include "core/module/registry.h"

struct sections { /* the filled structs of one configuration, by index */
	struct hd_conf *conf;
	void *v[HD_MODULES_MAX];
};
static struct sections current, next;
static const struct hd_conf *checked; /* while it is */

const void *hd_modules_section(const struct hd_conf *conf,
			       const struct hd_module *mod)
{
	if (conf == next.conf)
		return next.v[mod->index];
	hd_assert(conf == current.conf);
	return current.v[mod->index];
}

static int fill_section(struct hd_conf *conf, const struct hd_module *mod,
			struct sections *s, struct hd_error *err)
{
	s->conf = conf;
	s->v[mod->index] = NULL;
	return hd_conf_section_fill(conf, mod->name, mod->def->options,
				    mod->def->conf_size, &s->v[mod->index],
				    err);
}

int hd_module_section_load(struct hd_conf *conf, struct hd_module *mod,
			   struct hd_error *err)
{
	int r = fill_section(conf, mod, &current, err);

	mod->conf = current.v[mod->index];
	return r;
}

void hd_module_section_set(struct hd_module *mod, const void *section)
{
	current.v[mod->index] = (void *)section;
	mod->conf = section;
}

void hd_module_sections_begin(struct hd_conf *conf)
{
	current = (struct sections){ .conf = conf };
}

struct hd_conf *hd_modules_conf(void)
{
	return current.conf;
}

void hd_module_sections_clear(void)
{
	current = (struct sections){ 0 };
	next = (struct sections){ 0 };
}

static int check_module(struct hd_conf *conf, struct hd_module *mod,
			struct hd_error *err)
{
	int r = fill_section(conf, mod, &next, err);

	if (r < 0 || mod->def->check == NULL)
		return r;
	err->text[0] = '\0';
	r = mod->def->check(mod, next.v[mod->index], err);
	if (r < 0 && err->text[0] == '\0')
		hd_error_set(err, r, "module %s refuses its section: %s",
			     mod->name, strerror(-r));
	return r;
}

int hd_modules_check(struct hd_conf *conf, struct hd_error *err)
{
	struct hd_error unused;
	int r = 0;

	err = err != NULL ? err : &unused;
	next.conf = conf;
	checked = conf;
	for (unsigned i = 0; i < hd_modules_n() && r >= 0; i++)
		r = check_module(conf, hd_modules_at(i), err);
	checked = NULL;
	return r < 0 ? r : hd_conf_finish(conf, err);
}

static const struct hd_conf *asked(void)
{
	return checked != NULL ? checked : current.conf;
}

bool hd_conf_has_listener(const char *name)
{
	const struct hd_conf *conf = asked();

	for (size_t i = 0; conf != NULL && i < conf->n_listen; i++)
		if (conf->listen[i].name != NULL &&
		    strcmp(conf->listen[i].name, name) == 0)
			return true;
	return false;
}

uint64_t hd_conf_login_timeout_ms(void)
{
	return asked() != NULL ? asked()->login_timeout_ms : UINT64_MAX;
}

void hd_modules_adopt(struct hd_conf *conf)
{
	hd_assert(next.conf == conf);
	current = next;
	next = (struct sections){ 0 };
	for (unsigned i = 0; i < hd_modules_n(); i++) {
		struct hd_module *mod = hd_modules_at(i);

		mod->conf = current.v[mod->index];
	}
}

bool hd_module_kept(const struct hd_module *mod, const struct hd_worker *w)
{
	return w->reloading == mod;
}

const void *hd_module_conf(struct hd_module *mod)
{
	return mod->conf;
}

const void *hd_module_worker_conf(struct hd_module *mod, struct hd_worker *w)
{
	return w->mods[mod->index].conf;
}

void *hd_module_worker_data(struct hd_module *mod, struct hd_worker *w)
{
	return w->mods[mod->index].data;
}

void *hd_metrics(struct hd_module *mod, struct hd_worker *w)
{
	return w->mods[mod->index].metrics;
}

void hd_module_free(struct hd_module *mod, struct hd_worker *w)
{
	struct hd_worker_module *wm = &w->mods[mod->index];

	hd_timers_free(w, mod);
	free(wm->data);
	free(wm->metrics);
	hd_inbox_phase(w, mod, HD_MOD_NONE);
	wm->data = NULL;
	wm->conf = NULL;
	wm->metrics = NULL;
	wm->account = (struct hd_account){ 0 };
}

int hd_module_prepare(struct hd_module *mod, struct hd_worker *w,
		      struct hd_error *err)
{
	struct hd_worker_module *wm = &w->mods[mod->index];
	void *metrics = wm->metrics;

	hd_inbox_phase(w, mod, HD_MOD_STARTING);
	wm->conf = mod->conf;
	if (wm->data == NULL)
		wm->data = hd_alloc_lines(mod->def->worker_size);
	if (metrics == NULL)
		metrics = hd_alloc_lines(mod->def->metrics_size);
	/* workers that have started before may read them at once */
	__atomic_store_n(&wm->metrics, metrics, __ATOMIC_RELEASE);
	if (wm->data == NULL || metrics == NULL ||
	    hd_families_prepare(mod, w->index) < 0)
		return hd_error_set(err, -ENOMEM,
				    "module %s: no memory for worker %u",
				    mod->name, hd_worker_index(w));
	return 0;
}

int hd_module_start(struct hd_module *mod, struct hd_worker *w,
		    struct hd_error *err)
{
	int r = 0;

	if (mod->def->start != NULL)
		r = mod->def->start(mod, w, err);
	hd_inbox_phase(w, mod, r < 0 ? HD_MOD_NONE : HD_MOD_STARTED);
	return HD_MIN(r, 0);
}

void hd_module_stop(struct hd_module *mod, struct hd_worker *w, bool kept)
{
	bool started = w->mods[mod->index].phase == HD_MOD_STARTED;

	hd_inbox_close(w, mod);
	w->reloading = kept ? mod : NULL;
	if (started && mod->def->stop != NULL)
		mod->def->stop(mod, w);
	hd_registry_end_here(w, mod, kept);
	hd_inbox_phase(w, mod, HD_MOD_NONE);
}

/* Whoever returns an error may have said nothing of it. */
static void say_which(const struct hd_module *mod, const struct hd_worker *w,
		      int r, struct hd_error *err)
{
	if (err->text[0] == '\0')
		hd_error_set(err, r,
			     "module %s does not start in worker %u: %s",
			     mod->name, hd_worker_index(w), strerror(-r));
}

void hd_modules_expect(struct hd_worker *w)
{
	for (unsigned i = 0; i < hd_modules_n(); i++)
		hd_inbox_phase(w, hd_modules_at(i), HD_MOD_STARTING);
}

int hd_modules_start(struct hd_worker *w, struct hd_error *err)
{
	for (unsigned i = 0; i < hd_modules_n(); i++) {
		struct hd_module *mod = hd_modules_at(i);
		int r = hd_module_prepare(mod, w, err);

		if (r == 0)
			r = hd_module_start(mod, w, err);
		if (r == 0)
			continue;
		say_which(mod, w, r, err);
		for (i++; i-- > 0;)
			hd_module_stop(hd_modules_at(i), w, false);
		return r;
	}
	return 0;
}

void hd_modules_stop(struct hd_worker *w)
{
	for (unsigned i = hd_modules_n(); i-- > 0;)
		hd_module_stop(hd_modules_at(i), w, false);
}

void hd_modules_free(struct hd_worker *w)
{
	for (unsigned i = 0; i < hd_modules_n(); i++)
		hd_module_free(hd_modules_at(i), w);
}

void hd_modules_changed(struct hd_worker *w, const struct hd_conf *conf)
{
	for (unsigned i = 0; i < hd_modules_n(); i++) {
		struct hd_module *mod = hd_modules_at(i);
		struct hd_worker_module *wm = &w->mods[mod->index];
		const void *old_conf = wm->conf;

		wm->conf = hd_modules_section(conf, mod);
		if (mod->def->changed != NULL)
			mod->def->changed(mod, w, old_conf);
	}
}

void hd_modules_serving(struct hd_worker *w, bool on)
{
	for (unsigned i = 0; i < hd_modules_n(); i++) {
		struct hd_module *mod = hd_modules_at(i);

		if (mod->def->serving != NULL)
			mod->def->serving(mod, w, on);
	}
}
