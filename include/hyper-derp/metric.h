/* SPDX-License-Identifier: MIT */
/* hyper-derp/metric.h - a table of names; per worker an array of numbers;
 * nothing else on the packet path. */
#pragma once
#include <hyper-derp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

enum hd_metric_kind {
	HD_METRIC_COUNTER,
	HD_METRIC_GAUGE,
	HD_METRIC_HISTOGRAM /* of times */
};

struct hd_metric { /* ends with name NULL; the index is the metric's number */
	const char *name;   /* "hyper_derp_send_drops_total" */
	const char *labels; /* "reason=\"queue_head\",kind=\"disco\"" or NULL */
	const char *help;
	enum hd_metric_kind kind;
};

/* hd_metrics - the numbers of a module in a worker, one for each row of its
 * table. That of a histogram says where its cells are. */
HD_API uint64_t *hd_metrics(struct hd_module *mod, struct hd_worker *w);

/* One writer, the worker: no lock prefix, and no torn reads elsewhere. */
static inline void hd_count(uint64_t *v, unsigned i, uint64_t n)
{
	__atomic_store_n(&v[i], v[i] + n, __ATOMIC_RELAXED);
}

/* Histograms count in cells of a quarter of a power of two of microseconds:
 * 0, 1, 2, 3, 4, 5, 6, 7, 8-9, 10-11, …, so each is known to 1/4 of it. The
 * last one has all from 2^25 us (34 s) on. */
#define HD_HISTOGRAM_EXP_MAX 25
#define HD_HISTOGRAM_CELLS (4 * (HD_HISTOGRAM_EXP_MAX - 1) + 1)

struct hd_histogram { /* one that was read */
	uint64_t n, sum_ns; /* observations and their sum */
	uint64_t cells[HD_HISTOGRAM_CELLS];
};

/* hd_histogram_cell - of so many microseconds. */
static inline unsigned hd_histogram_cell(uint64_t us)
{
	unsigned exp;

	if (us < 4)
		return (unsigned)us;
	exp = 63u - (unsigned)__builtin_clzll(us);
	if (exp >= HD_HISTOGRAM_EXP_MAX)
		return HD_HISTOGRAM_CELLS - 1;
	return 4 * (exp - 1) + (unsigned)(us >> (exp - 2) & 3);
}

/* hd_observe - histogram i took ns nanoseconds once more. Two additions. */
static inline void hd_observe(uint64_t *v, unsigned i, uint64_t ns)
{
	uint64_t *h = v + v[i];

	hd_count(h, 0, ns);
	hd_count(h, 1 + hd_histogram_cell(ns / 1000), 1);
}

/* hd_histogram_below - how many took less than 2^exp us. @exp 2..25
 * hd_histogram_us - what the share q took at most: 0.99, for the 99th
 * percentile; 0 when there is nothing. */
HD_API uint64_t hd_histogram_below(const struct hd_histogram *h, unsigned exp);
HD_API uint64_t hd_histogram_us(const struct hd_histogram *h, double q);

/* hd_metrics_each - every metric of the core ("core") and of all modules,
 * summed over workers; of a histogram, how many observations there are. Any
 * thread; takes no lock a worker waits for.
 * hd_metrics_read - the same with histograms; @w of this worker alone, or
 * NULL. */
typedef void hd_metric_fn(void *arg, const char *module,
			  const struct hd_metric *metric, uint64_t sum);
HD_API void hd_metrics_each(hd_metric_fn *fn, void *arg);
typedef void hd_metric_read_fn(void *arg, const char *module,
			       const struct hd_metric *metric, uint64_t sum,
			       const struct hd_histogram *histogram);
HD_API void hd_metrics_read(struct hd_worker *w, hd_metric_read_fn *fn,
			    void *arg);

#ifdef __cplusplus
}
#endif
