/* SPDX-License-Identifier: MIT */
/* core/module/metric.c - the numbers of all workers, summed. Each number has
 * one writer; a reader takes no lock and may be a packet behind. */
#include <hyper-derp/worker.h>
#include <string.h>
#include "core/base/metric_table.h"
#include "core/loop/worker.h"
#include "core/module/module.h"

static void add_cells(struct hd_histogram *h, const uint64_t *v)
{
	h->sum_ns += __atomic_load_n(&v[0], __ATOMIC_RELAXED);
	for (unsigned i = 0; i < HD_HISTOGRAM_CELLS; i++) {
		uint64_t n = __atomic_load_n(&v[1 + i], __ATOMIC_RELAXED);

		h->cells[i] += n;
		h->n += n;
	}
}

struct reader {
	struct hd_worker *only; /* NULL: all workers */
	hd_metric_read_fn *fn;
	void *arg;
};

/* The numbers of the core or of a module in a worker; NULL: none yet. */
static const uint64_t *numbers(const struct hd_worker *w,
			       const struct hd_module *mod)
{
	return mod == NULL ? w->stats :
			     __atomic_load_n(&w->mods[mod->index].metrics,
					     __ATOMIC_ACQUIRE);
}

static void read_row(const struct reader *r, const struct hd_module *mod,
		     const struct hd_metric *m, size_t row)
{
	struct hd_histogram h;
	bool is_histogram = m->kind == HD_METRIC_HISTOGRAM;
	uint64_t sum = 0;

	if (is_histogram)
		memset(&h, 0, sizeof(h));
	for (unsigned i = 0; i < hd_workers(); i++) {
		const struct hd_worker *w = hd_worker_at(i);
		const uint64_t *v = numbers(w, mod);

		if (v == NULL || (r->only != NULL && r->only != w))
			continue;
		if (is_histogram)
			add_cells(&h, v + v[row]);
		else
			sum += __atomic_load_n(&v[row], __ATOMIC_RELAXED);
	}
	r->fn(r->arg, mod != NULL ? mod->name : "core", m,
	      is_histogram ? h.n : sum, is_histogram ? &h : NULL);
}

static void read_table(const struct reader *r, const struct hd_module *mod,
		       const struct hd_metric *table)
{
	for (size_t i = 0; table != NULL && table[i].name != NULL; i++)
		read_row(r, mod, &table[i], i);
}

void hd_metrics_read(struct hd_worker *w, hd_metric_read_fn *fn, void *arg)
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

struct each {
	hd_metric_fn *fn;
	void *arg;
};

static void each_row(void *arg, const char *module, const struct hd_metric *m,
		     uint64_t sum, const struct hd_histogram *h)
{
	const struct each *e = arg;

	(void)h;
	e->fn(e->arg, module, m, sum);
}

void hd_metrics_each(hd_metric_fn *fn, void *arg)
{
	struct each e = { fn, arg };

	hd_metrics_read(NULL, each_row, &e);
}
