/* SPDX-License-Identifier: MIT */
/* core/base/metric_table.c - the numbers of a table of metrics, whoever has
 * them: where each is, and what histograms say. */
#include "core/base/metric_table.h"
#include <string.h>

/* ---- where the numbers of a table are ----
 *
 * One for each row, then for each histogram the sum and the cells. */

size_t hd_metrics_rows(const struct hd_metric *table)
{
	size_t n = 0;

	while (table != NULL && table[n].name != NULL)
		n++;
	return n;
}

size_t hd_metrics_size(const struct hd_metric *table)
{
	size_t rows = hd_metrics_rows(table), n = rows;

	for (size_t i = 0; i < rows; i++)
		if (table[i].kind == HD_METRIC_HISTOGRAM)
			n += HD_HISTOGRAM_SIZE;
	return n;
}

void hd_metrics_init(uint64_t *v, const struct hd_metric *table)
{
	size_t rows = hd_metrics_rows(table), at = rows;

	for (size_t i = 0; i < rows; i++) {
		if (table[i].kind != HD_METRIC_HISTOGRAM)
			continue;
		v[i] = at;
		at += HD_HISTOGRAM_SIZE;
	}
}

void hd_metrics_copy(uint64_t *to, const struct hd_metric *table, size_t row,
		     const uint64_t *from, size_t from_row)
{
	if (table[row].kind == HD_METRIC_HISTOGRAM)
		memcpy(to + to[row], from + from[from_row],
		       HD_HISTOGRAM_SIZE * sizeof(*to));
	else
		to[row] = from[from_row];
}

/* ---- histograms ---- */

uint64_t hd_observed_ns(const uint64_t *v, unsigned row)
{
	return __atomic_load_n(&v[v[row]], __ATOMIC_RELAXED);
}

uint64_t hd_histogram_below(const struct hd_histogram *h, unsigned exp)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < 4 * (exp - 1) && i < HD_HISTOGRAM_CELLS; i++)
		n += h->cells[i];
	return n;
}

/* The last microsecond that a cell counts. */
static uint64_t cell_end_us(unsigned i)
{
	if (i < 4)
		return i;
	return ((uint64_t)(i % 4 + 5) << (i / 4 - 1)) - 1;
}

uint64_t hd_histogram_us(const struct hd_histogram *h, double q)
{
	uint64_t want = HD_MAX(1, (uint64_t)((double)h->n * q + 0.5)), n = 0;
	unsigned i = 0;

	if (h->n == 0)
		return 0;
	while (i < HD_HISTOGRAM_CELLS - 1 && (n += h->cells[i]) < want)
		i++;
	return cell_end_us(i);
}
