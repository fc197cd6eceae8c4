/* SPDX-License-Identifier: MIT */
/* core/module/metric.c - the numbers of all workers, summed. Each number has
 * one writer; a reader takes no lock and may be a packet behind. */
#include <hyper-derp/worker.h>
#include <stdio.h>
#include <string.h>
#include "core/base/audit.h"
#include "core/base/metric_table.h"
#include "core/base/reloaded.h"
#include "core/loop/worker.h"
#include "core/module/hook.h"
#include "core/module/metric_family.h"
#include "core/module/module.h"

struct reader {
	struct hd_worker *only; /* NULL: all workers */
	hd_sample_fn *fn;
	void *arg;
};

/* The numbers of the core or of a module in a worker; NULL: none yet. */
static const void *numbers(const struct hd_worker *w,
			   const struct hd_module *mod)
{
	return mod == NULL ? &w->stats
			   : __atomic_load_n(&w->mods[mod->index].metrics,
					     __ATOMIC_ACQUIRE);
}

static void read_row(const struct reader *r, const struct hd_module *mod,
		     const struct hd_metric *row)
{
	bool is_histogram = row->kind == HD_METRIC_HISTOGRAM;
	struct hd_times times;
	struct hd_sample sample = {
		.module = mod != NULL ? mod->name : "core",
		.name = row->name,
		.labels = row->labels,
		.help = row->help,
		.kind = row->kind,
		.times = is_histogram ? &times : NULL,
	};

	if (is_histogram)
		memset(&times, 0, sizeof(times));
	for (unsigned i = 0; i < hd_workers(); i++) {
		const struct hd_worker *w = hd_worker_at(i);
		const void *v = numbers(w, mod);

		if (v != NULL && (r->only == NULL || r->only == w))
			hd_metric_add(row, v, &sample.value, &times);
	}
	r->fn(r->arg, &sample);
}

static void read_table(const struct reader *r, const struct hd_module *mod,
		       const struct hd_metric *table)
{
	for (; table != NULL && table->name != NULL; table++)
		read_row(r, mod, table);
}

/* ---- families ---- */

/* The family's lock is held: the slot keeps its gen, so no worker zeroes a cell
 * that has it. */
static void add_cells(const struct reader *r, const struct hd_family *f,
		      const struct hd_series_slot *s,
		      const struct hd_metric *row, struct hd_sample *sample,
		      struct hd_times *times)
{
	for (unsigned i = 0; i < hd_workers(); i++) {
		const struct hd_family_part *p = &f->parts[i];

		if ((r->only != NULL && r->only != hd_worker_at(i)) ||
		    s->slot >= __atomic_load_n(&p->n, __ATOMIC_ACQUIRE))
			continue;
		const uint64_t *cell = hd_series_cell(p, s->slot);
		if (__atomic_load_n(cell, __ATOMIC_ACQUIRE) == s->gen)
			hd_metric_add(row, cell + 1, &sample->value, times);
	}
}

/* Returns whether slots up to this one are in use. */
static bool read_series(const struct reader *r, struct hd_family *f,
			const struct hd_metric *row, uint32_t slot)
{
	bool is_histogram = row->kind == HD_METRIC_HISTOGRAM;
	char labels[1024];
	struct hd_times times;
	struct hd_sample sample = {
		.module = f->module,
		.name = row->name,
		.labels = labels,
		.help = row->help,
		.kind = row->kind,
		.times = is_histogram ? &times : NULL,
	};

	if (is_histogram)
		memset(&times, 0, sizeof(times));
	pthread_mutex_lock(&f->lock);
	const struct hd_series_slot *s =
		slot < f->n_used ? f->series[slot] : NULL;
	bool is_shown = s != NULL && s->text != NULL;
	if (is_shown) {
		snprintf(labels, sizeof(labels), "%s%s%s",
			 row->labels != NULL ? row->labels : "",
			 row->labels != NULL ? "," : "", s->text);
		add_cells(r, f, s, row, &sample, &times);
	}
	pthread_mutex_unlock(&f->lock);
	if (is_shown)
		r->fn(r->arg, &sample);
	return s != NULL;
}

static void read_refused(const struct reader *r, struct hd_family *f)
{
	char labels[HD_MODULE_NAME_BYTES + HD_FAMILY_NAME_BYTES + 32];
	struct hd_sample sample = {
		.module = "core",
		.name = "hyper_derp_series_refused_total",
		.labels = labels,
		.help = "Label sets of a family of metrics that count as "
			"\"other\": it has as many series as it may",
		.kind = HD_METRIC_COUNTER,
	};

	snprintf(labels, sizeof(labels), "module=\"%s\",family=\"%s\"",
		 f->module, f->name);
	pthread_mutex_lock(&f->lock);
	sample.value = (int64_t)f->refused;
	pthread_mutex_unlock(&f->lock);
	r->fn(r->arg, &sample);
}

void hd_family_read(struct hd_worker *w, struct hd_family *f, hd_sample_fn *fn,
		    void *arg)
{
	const struct reader r = { .only = w, .fn = fn, .arg = arg };
	const struct hd_metric *row = f->metrics;

	for (; row != NULL && row->name != NULL; row++)
		for (uint32_t slot = 0; read_series(&r, f, row, slot);)
			slot++;
	if (w == NULL) /* no worker's */
		read_refused(&r, f);
}

static void read_families(const struct reader *r, const struct hd_module *mod)
{
	struct hd_family *f = NULL;

	while ((f = hd_family_next(f, mod)) != NULL)
		hd_family_read(r->only, f, r->fn, r->arg);
}

/* What no worker counts. */
static void read_process(const struct reader *r)
{
	const struct hd_sample samples[] = {
		{ .name = "hyper_derp_audit_lost_total",
		  .help = "Lines that are missing in the audit log",
		  .kind = HD_METRIC_COUNTER,
		  .value = (int64_t)hd_audit_lost() },
		{ .name = "hyper_derp_config_last_reload_successful",
		  .help = "0: the last reload of the configuration was "
			  "refused; else 1",
		  .kind = HD_METRIC_GAUGE,
		  .value = hd_reloaded() },
		{ .name = "hyper_derp_config_last_reload_success_timestamp_"
			  "seconds",
		  .help = "When the configuration in effect was read, in "
			  "seconds since the epoch",
		  .kind = HD_METRIC_GAUGE,
		  .value = hd_reloaded_s() },
		{ .name = "hyper_derp_locked",
		  .help = "1: nobody may log in, since a module that says who "
			  "may is lost",
		  .kind = HD_METRIC_GAUGE,
		  .value = hd_guards_lost() > 0 },
	};

	for (size_t i = 0; i < HD_ARRAY_N(samples); i++) {
		struct hd_sample sample = samples[i];

		sample.module = "core";
		r->fn(r->arg, &sample);
	}
}

void hd_metrics_read(struct hd_worker *w, hd_sample_fn *fn, void *arg)
{
	const struct reader r = { .only = w, .fn = fn, .arg = arg };
	bool in_worker = hd_worker_self() != NULL;

	read_table(&r, NULL, hd_core_metrics);
	if (w == NULL)
		read_process(&r);
	if (!in_worker)
		hd_modules_hold();
	for (unsigned i = 0; i < HD_MODULES_MAX; i++) {
		const struct hd_module *mod = hd_modules_slot(i);

		if (mod == NULL)
			continue;
		read_table(&r, mod, mod->def->metrics);
		read_families(&r, mod);
	}
	if (!in_worker)
		hd_modules_release();
}
