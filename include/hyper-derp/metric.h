/* SPDX-License-Identifier: MIT */
/* hyper-derp/metric.h - a table of names; per worker an array of numbers;
 * nothing else on the packet path. */
#pragma once
#include <hyper-derp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

enum hd_metric_kind { HD_COUNTER, HD_GAUGE };

struct hd_metric { /* ends with name NULL; the index is the metric's number */
	const char *name;   /* "hyper_derp_send_drops_total" */
	const char *labels; /* "reason=\"queue_head\",kind=\"disco\"" or NULL */
	const char *help;
	enum hd_metric_kind kind;
};

/* hd_metrics - the numbers of a module in a worker, as long as its table. */
HD_API uint64_t *hd_metrics(struct hd_module *mod, struct hd_worker *w);

/* One writer, the worker: no lock prefix, and no torn reads elsewhere. */
static inline void hd_count(uint64_t *v, unsigned i, uint64_t n)
{
	__atomic_store_n(&v[i], v[i] + n, __ATOMIC_RELAXED);
}

/* hd_metrics_each - every metric of the core ("core") and of all modules,
 * summed over workers. Any thread; takes no lock a worker waits for. */
typedef void hd_metric_fn(void *arg, const char *module,
			  const struct hd_metric *metric, uint64_t sum);
HD_API void hd_metrics_each(hd_metric_fn *fn, void *arg);

#ifdef __cplusplus
}
#endif
