/* SPDX-License-Identifier: MIT */
/* core/module/metric_snap.c - counters and histograms go to another process, by
 * module, name and labels, those of families by their series, too: the sum of
 * all workers, into the first one's. Gauges count what is there, and so they
 * count anew. Main thread, workers stand. */
#include "core/module/metric_snap.h"
#include <errno.h>
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/snap_format.h"
#include "core/loop/stats.h"
#include "core/loop/worker.h"
#include "core/module/metric_family.h"
#include "core/module/module.h"

static void *numbers(struct hd_worker *w, const struct hd_module *mod)
{
	return mod == NULL ? &w->stats : w->mods[mod->index].metrics;
}

static const struct hd_metric *table_of(const struct hd_module *mod)
{
	return mod == NULL ? hd_core_metrics : mod->def->metrics;
}

/* ---- the old process ---- */

struct row { /* and where its numbers are */
	const struct hd_module *mod; /* NULL: the core */
	const struct hd_metric *row;
	struct hd_family *family; /* NULL: none */
	const struct hd_series_slot *series;
};

static const void *numbers_of(const struct row *r, unsigned worker)
{
	return r->family == NULL
		       ? numbers(hd_worker_at(worker), r->mod)
		       : hd_series_has(r->family, r->series, worker);
}

static void put_names(const struct row *r, struct hd_snap *to)
{
	if (r->mod != NULL)
		hd_snap_text(to, HD_SNAP_METRIC_MODULE, r->mod->name);
	if (r->family != NULL) {
		hd_snap_text(to, HD_SNAP_METRIC_FAMILY, r->family->name);
		hd_snap_text(to, HD_SNAP_METRIC_SERIES, r->series->text);
	}
	hd_snap_text(to, HD_SNAP_METRIC_NAME, r->row->name);
	hd_snap_text(to, HD_SNAP_METRIC_LABELS, r->row->labels);
}

static void pack_row(const struct row *r, struct hd_snap *to)
{
	struct hd_times times;
	int64_t value = 0;
	size_t at;

	memset(&times, 0, sizeof(times));
	for (unsigned i = 0; i < hd_workers(); i++) {
		const void *v = numbers_of(r, i);

		if (v != NULL)
			hd_metric_add(r->row, v, &value, &times);
	}
	if (value == 0)
		return;
	at = hd_snap_begin(to, HD_SNAP_METRIC);
	put_names(r, to);
	hd_snap_number(to, HD_SNAP_METRIC_VALUE, (uint64_t)value);
	if (r->row->kind == HD_METRIC_HISTOGRAM) {
		hd_snap_number(to, HD_SNAP_METRIC_SUM, times.sum_ns);
		hd_snap_bytes(to, HD_SNAP_METRIC_CELLS, times.cells,
			      sizeof(times.cells));
	}
	hd_snap_end(to, at);
}

static void pack_rows(struct row r, struct hd_snap *to)
{
	for (; r.row != NULL && r.row->name != NULL; r.row++)
		if (r.row->kind != HD_METRIC_GAUGE)
			pack_row(&r, to);
}

static void pack_family(const struct hd_module *mod, struct hd_family *f,
			struct hd_snap *to)
{
	pthread_mutex_lock(&f->lock);
	for (uint32_t i = 0; i < f->n_used; i++)
		if (f->series[i]->text != NULL)
			pack_rows((struct row){ mod, f->metrics, f,
						f->series[i] },
				  to);
	pthread_mutex_unlock(&f->lock);
}

static void pack_module(const struct hd_module *mod, struct hd_snap *to)
{
	struct hd_family *f = NULL;

	pack_rows((struct row){ .mod = mod, .row = table_of(mod) }, to);
	while ((f = hd_family_next(f, mod)) != NULL)
		pack_family(mod, f, to);
}

void hd_metrics_pack(struct hd_snap *to)
{
	pack_rows((struct row){ .row = table_of(NULL) }, to);
	for (unsigned i = 0; i < hd_modules_n(); i++)
		pack_module(hd_modules_at(i), to);
}

/* ---- the new process ---- */

struct image {
	char *module, *name, *labels, *family, *series;
	uint64_t value;
	struct hd_times times;
	bool has_times;
};

static int take_item(struct image *m, const struct hd_snap_item *item,
		     struct hd_error *err)
{
	switch (item->tag) {
	case HD_SNAP_METRIC_MODULE:
		return hd_snap_to_text(item, &m->module);
	case HD_SNAP_METRIC_NAME:
		return hd_snap_to_text(item, &m->name);
	case HD_SNAP_METRIC_LABELS:
		return hd_snap_to_text(item, &m->labels);
	case HD_SNAP_METRIC_FAMILY:
		return hd_snap_to_text(item, &m->family);
	case HD_SNAP_METRIC_SERIES:
		return hd_snap_to_text(item, &m->series);
	case HD_SNAP_METRIC_VALUE:
		return hd_snap_to_number(item, &m->value);
	case HD_SNAP_METRIC_SUM:
		return hd_snap_to_number(item, &m->times.sum_ns);
	case HD_SNAP_METRIC_CELLS:
		m->has_times = true;
		return hd_snap_to_bytes(item, m->times.cells,
					sizeof(m->times.cells));
	default:
		return hd_snap_unknown(item, "a metric", err);
	}
}

static bool is_row(const struct hd_metric *row, const struct image *m)
{
	const char *labels = row->labels != NULL ? row->labels : "";

	return strcmp(row->name, m->name) == 0 &&
	       strcmp(labels, m->labels != NULL ? m->labels : "") == 0;
}

static void add_times(struct hd_histogram *to, const struct hd_times *times)
{
	hd_count(&to->sum_ns, times->sum_ns);
	for (unsigned i = 0; i < HD_HISTOGRAM_CELLS; i++)
		hd_count(&to->cells[i], times->cells[i]);
}

static void add(const struct hd_metric *row, void *v, const struct image *m)
{
	void *field = (char *)v + row->offset;

	if (row->kind == HD_METRIC_COUNTER && !m->has_times)
		hd_count((struct hd_counter *)field, m->value);
	else if (row->kind == HD_METRIC_HISTOGRAM && m->has_times)
		add_times(field, &m->times);
}

static void add_to(const struct hd_metric *row, void *v, const struct image *m)
{
	for (; v != NULL && row != NULL && row->name != NULL; row++)
		if (is_row(row, m))
			add(row, v, m);
}

static void add_to_family(const struct hd_module *mod, const struct image *m)
{
	struct hd_family *f = NULL;

	if (mod == NULL || m->series == NULL)
		return;
	do
		f = hd_family_next(f, mod);
	while (f != NULL && strcmp(f->name, m->family) != 0);
	if (f != NULL && f->parts[0].n > 0)
		add_to(f->metrics,
		       hd_series_numbers(f, hd_worker_at(0),
					 hd_series_take(f, m->series)),
		       m);
}

/* One that is not there any more is forgotten. */
static void apply(const struct image *m)
{
	const struct hd_module *mod =
		m->module != NULL ? hd_modules_find(m->module) : NULL;

	if (m->name == NULL || (m->module != NULL && mod == NULL))
		return;
	if (m->family != NULL)
		add_to_family(mod, m);
	else
		add_to(table_of(mod), numbers(hd_worker_at(0), mod), m);
}

int hd_metric_unpack(struct hd_snap_in in, struct hd_error *err)
{
	struct image *m = calloc(1, sizeof(*m));
	struct hd_snap_item item;
	int r = m != NULL ? 0 : -ENOMEM;

	while (r == 0 && (r = hd_snap_next(&in, &item)) == 1)
		r = take_item(m, &item, err);
	if (r == 0)
		apply(m);
	if (m != NULL) {
		free(m->module);
		free(m->name);
		free(m->labels);
		free(m->family);
		free(m->series);
	}
	free(m);
	return r;
}
