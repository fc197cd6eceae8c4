/* SPDX-License-Identifier: MIT */
/* core/module/metric.c - the numbers of all workers, summed. Each number has
 * one writer; a reader takes no lock and may be a packet behind. */
#include <hyper-derp/worker.h>
#include <string.h>
#include "core/base/metric_table.h"
#include "core/loop/worker.h"
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

void hd_metrics_read(struct hd_worker *w, hd_sample_fn *fn, void *arg)
{
	const struct reader r = { .only = w, .fn = fn, .arg = arg };
	bool in_worker = hd_worker_self() != NULL;

	read_table(&r, NULL, hd_core_metrics);
	if (!in_worker)
		hd_modules_hold();
	for (unsigned i = 0; i < HD_MODULES_MAX; i++) {
		const struct hd_module *mod = hd_modules_slot(i);

		if (mod != NULL)
			read_table(&r, mod, mod->def->metrics);
	}
	if (!in_worker)
		hd_modules_release();
}
