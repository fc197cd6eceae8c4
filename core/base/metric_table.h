/* SPDX-License-Identifier: MIT */
/* core/base/metric_table.h - the numbers of a table of metrics, whoever has
 * them: a struct of counters, gauges and histograms, as the rows say. */
#pragma once
#include <hyper-derp/metric.h>

/* hd_metrics_check - each row has a name and a field of its own, and together
 * they are the whole struct. @table  may be NULL: an empty one
 * Returns 0; -EINVAL: err says which row and what to do. */
int hd_metrics_check(const struct hd_metric *table, size_t size,
		     struct hd_error *err);
/* hd_metrics_carry - numbers under the rows of another table: those of the same
 * name, labels and kind; all else in `to` stays. Either table may be NULL. */
void hd_metrics_carry(void *to, const struct hd_metric *to_table,
		      const void *from, const struct hd_metric *from_table);
/* hd_metric_add - a row's numbers in a worker to what was read of others;
 * times only of histograms. Any thread. */
void hd_metric_add(const struct hd_metric *row, const void *numbers,
		   int64_t *value, struct hd_times *times);

/* hd_counter_read - of another thread. */
static inline uint64_t hd_counter_read(const struct hd_counter *c)
{
	return __atomic_load_n(&c->n, __ATOMIC_RELAXED);
}
