/* SPDX-License-Identifier: MIT */
/* t/unit/metric.c - histograms: which cell, how many below, percentiles; where
 * the numbers of a table are, and that a reload carries them over. */
#include "core/base/metric_table.h"
#include <stdlib.h>
#include <string.h>
#include "core/module/module_live.h"
#include "t/unit/unit.h"

static void cells(void **state)
{
	static const struct {
		uint64_t us;
		unsigned cell;
	} want[] = {
		{ 0, 0 }, { 1, 1 }, { 3, 3 }, { 4, 4 }, { 7, 7 }, { 8, 8 },
		{ 9, 8 }, { 10, 9 }, { 15, 11 }, { 16, 12 }, { 19, 12 },
		{ 20, 13 }, { (1 << 25) - 1, HD_HISTOGRAM_CELLS - 2 },
		{ 1 << 25, HD_HISTOGRAM_CELLS - 1 },
		{ UINT64_MAX, HD_HISTOGRAM_CELLS - 1 },
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(want); i++)
		assert_int_equal(hd_histogram_cell(want[i].us), want[i].cell);
	for (uint64_t us = 1; us < 1 << 20; us++)
		assert_true(hd_histogram_cell(us) - hd_histogram_cell(us - 1) <=
			    1);
}

/* One of each length from 0 us to n - 1 us. */
static struct hd_histogram ramp(uint64_t n)
{
	struct hd_histogram h = { 0 };

	for (uint64_t us = 0; us < n; us++) {
		h.cells[hd_histogram_cell(us)]++;
		h.n++;
	}
	return h;
}

static void below(void **state)
{
	const struct hd_histogram h = ramp(1 << 16);

	(void)state;
	for (unsigned exp = 2; exp <= 16; exp++)
		assert_int_equal(hd_histogram_below(&h, exp), 1u << exp);
	assert_int_equal(hd_histogram_below(&h, 25), 1 << 16);
}

static void percentiles(void **state)
{
	const struct hd_histogram h = ramp(10000), none = { 0 };
	static const double q[] = { 0, 0.01, 0.5, 0.9, 0.99, 1 };

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(q); i++) {
		double exact = 10000 * q[i];
		double got = (double)hd_histogram_us(&h, q[i]);

		assert_true(got >= exact - 1 && got <= exact * 1.25 + 1);
	}
	assert_int_equal(hd_histogram_us(&none, 0.99), 0);
}

static const struct hd_metric before[] = {
	{ "a_total", NULL, "a", HD_METRIC_COUNTER },
	{ "b_seconds", NULL, "b", HD_METRIC_HISTOGRAM },
	{ "c_seconds", NULL, "c", HD_METRIC_HISTOGRAM },
	{ "d_total", NULL, "d", HD_METRIC_COUNTER },
	{ NULL, NULL, NULL, HD_METRIC_COUNTER },
};
static const struct hd_metric after[] = {
	{ "c_seconds", NULL, "c", HD_METRIC_HISTOGRAM },
	{ "new_seconds", NULL, "n", HD_METRIC_HISTOGRAM },
	{ "b_seconds", NULL, "it is a counter now", HD_METRIC_COUNTER },
	{ "d_total", NULL, "d", HD_METRIC_COUNTER },
	{ NULL, NULL, NULL, HD_METRIC_COUNTER },
};

static void carried_over(void **state)
{
	uint64_t *v = calloc(hd_metrics_size(before), sizeof(*v)), *n;

	(void)state;
	assert_int_equal(hd_metrics_size(NULL), 0);
	hd_metrics_init(v, before);
	hd_count(v, 3, 7);
	hd_observe(v, 1, 5000);
	hd_observe(v, 2, 3000);
	hd_observe(v, 2, 70000);
	n = hd_metrics_carry(v, before, after);
	assert_int_equal(n[n[0]], 73000);
	assert_int_equal(n[n[0] + 1 + 3], 1);
	assert_int_equal(n[n[0] + 1 + hd_histogram_cell(70)], 1);
	assert_int_equal(n[n[1]], 0);
	assert_int_equal(n[2], 0);
	assert_int_equal(n[3], 7);
	free(n);
	free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cells),
		cmocka_unit_test(below),
		cmocka_unit_test(percentiles),
		cmocka_unit_test(carried_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
