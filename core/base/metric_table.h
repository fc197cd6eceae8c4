/* SPDX-License-Identifier: MIT */
/* core/base/metric_table.h - where the numbers of a table of metrics are. */
#pragma once
#include <hyper-derp/metric.h>

#define HD_HISTOGRAM_SIZE (1 + HD_HISTOGRAM_CELLS) /* the sum, the cells */

/* hd_metrics_rows - of a table, which may be NULL. hd_metrics_size - how many
 * numbers it needs. hd_metrics_init - zeroed ones become those of the table.
 * hd_metrics_copy - those of a row of another table of the same kind. */
size_t hd_metrics_rows(const struct hd_metric *table);
size_t hd_metrics_size(const struct hd_metric *table);
void hd_metrics_init(uint64_t *v, const struct hd_metric *table);
/* hd_observed_ns - the sum of a histogram. */
uint64_t hd_observed_ns(const uint64_t *v, unsigned row);
void hd_metrics_copy(uint64_t *to, const struct hd_metric *table, size_t row,
		     const uint64_t *from, size_t from_row);
