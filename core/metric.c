/* SPDX-License-Identifier: MIT */
/* core/metric.c - the numbers of all workers, summed. Each number has one
 * writer; a reader takes no lock and may be a packet behind. */
#include "core/module.h"
#include "core/worker.h"

static uint64_t sum_core(unsigned row)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < hd_workers(); i++)
		sum += __atomic_load_n(&hd_worker_at(i)->stats[row],
				       __ATOMIC_RELAXED);
	return sum;
}

static uint64_t sum_module(const struct hd_module *mod, unsigned row)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < hd_workers(); i++) {
		const uint64_t *v = hd_worker_at(i)->mods[mod->index].metrics;

		if (v != NULL)
			sum += __atomic_load_n(&v[row], __ATOMIC_RELAXED);
	}
	return sum;
}

static void each_module(hd_metric_fn *fn, void *arg)
{
	for (unsigned m = 0; m < HD_MODULES_MAX; m++) {
		const struct hd_module *mod = hd_modules_slot(m);
		const struct hd_metric *table =
			mod != NULL ? mod->def->metrics : NULL;

		for (unsigned i = 0; table != NULL && table[i].name != NULL;
		     i++)
			fn(arg, mod->name, &table[i], sum_module(mod, i));
	}
}

void hd_metrics_each(hd_metric_fn *fn, void *arg)
{
	bool in_worker = hd_worker_self() != NULL;

	for (unsigned i = 0; hd_core_metrics[i].name != NULL; i++)
		fn(arg, "core", &hd_core_metrics[i], sum_core(i));
	if (!in_worker)
		hd_modules_hold();
	each_module(fn, arg);
	if (!in_worker)
		hd_modules_release();
}
