/* SPDX-License-Identifier: MIT */
/* t/unit/metric.c - histograms: which cell, how many below, percentiles; tables
 * of metrics: which are right, and that a reload carries numbers over. */
#include "core/base/metric_table.h"
#include <errno.h>
#include <string.h>
#include "core/loop/stats.h"
#include "t/unit/unit.h"

static void cells(void **state)
{
	static const struct {
		uint64_t us;
		unsigned cell;
	} want[] = {
		{ 0, 0 },
		{ 1, 1 },
		{ 3, 3 },
		{ 4, 4 },
		{ 7, 7 },
		{ 8, 8 },
		{ 9, 8 },
		{ 10, 9 },
		{ 15, 11 },
		{ 16, 12 },
		{ 19, 12 },
		{ 20, 13 },
		{ (1 << 25) - 1, HD_HISTOGRAM_CELLS - 2 },
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
static struct hd_times ramp(uint64_t n)
{
	struct hd_times h = { 0 };

	for (uint64_t us = 0; us < n; us++) {
		h.cells[hd_histogram_cell(us)]++;
		h.n++;
	}
	return h;
}

static void below(void **state)
{
	const struct hd_times h = ramp(1 << 16);

	(void)state;
	for (unsigned exp = 2; exp <= 16; exp++)
		assert_int_equal(hd_times_below(&h, exp), 1u << exp);
	assert_int_equal(hd_times_below(&h, 25), 1 << 16);
}

static void percentiles(void **state)
{
	const struct hd_times h = ramp(10000), none = { 0 };
	static const double q[] = { 0, 0.01, 0.5, 0.9, 0.99, 1 };

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(q); i++) {
		double exact = 10000 * q[i];
		double got = (double)hd_times_us(&h, q[i]);

		assert_true(got >= exact - 1 && got <= exact * 1.25 + 1);
	}
	assert_int_equal(hd_times_us(&none, 0.99), 0);
}

struct before {
	struct hd_counter a;
	struct hd_histogram b, c;
	struct hd_counter d[2];
	struct hd_gauge e;
};
static const struct hd_metric before[] = {
	HD_METRIC(struct before, a, "a_total", NULL, "a"),
	HD_METRIC(struct before, b, "b_seconds", NULL, "b"),
	HD_METRIC(struct before, c, "c_seconds", NULL, "c"),
	HD_METRIC(struct before, d[0], "d_total", "k=\"0\"", "d"),
	HD_METRIC(struct before, d[1], "d_total", "k=\"1\"", "d"),
	HD_METRIC(struct before, e, "e", NULL, "e"),
	HD_METRIC_END,
};

struct after {
	struct hd_histogram c, fresh;
	struct hd_counter b, d[2];
	struct hd_gauge e;
};
static const struct hd_metric after[] = {
	HD_METRIC(struct after, c, "c_seconds", NULL, "c"),
	HD_METRIC(struct after, fresh, "new_seconds", NULL, "n"),
	HD_METRIC(struct after, b, "b_seconds", NULL, "it is a counter now"),
	HD_METRIC(struct after, d[1], "d_total", "k=\"1\"", "d"),
	HD_METRIC(struct after, d[0], "d_total", "k=\"2\"", "d"),
	HD_METRIC(struct after, e, "e", NULL, "e"),
	HD_METRIC_END,
};

static void carried_over(void **state)
{
	struct before v;
	struct after n;

	(void)state;
	memset(&v, 0, sizeof(v));
	memset(&n, 0, sizeof(n));
	hd_count(&v.d[0], 6);
	hd_count(&v.d[1], 7);
	hd_gauge_set(&v.e, 5);
	hd_gauge_add(&v.e, -7);
	hd_observe(&v.b, 5000);
	hd_observe(&v.c, 3000);
	hd_observe(&v.c, 70000);
	hd_metrics_carry(&n, after, &v, before);
	assert_int_equal(n.c.sum_ns.n, 73000);
	assert_int_equal(n.c.cells[3].n, 1);
	assert_int_equal(n.c.cells[hd_histogram_cell(70)].n, 1);
	assert_int_equal(n.fresh.sum_ns.n, 0);
	assert_int_equal(n.b.n, 0);
	assert_int_equal(n.d[0].n, 0);
	assert_int_equal(n.d[1].n, 7);
	assert_int_equal(n.e.n, -2);
	hd_metrics_carry(&n, after, NULL, NULL);
	hd_metrics_carry(NULL, NULL, &v, before);
	assert_int_equal(n.d[1].n, 7);
}

static void added_up(void **state)
{
	struct before one, two;
	struct hd_times times = { 0 };
	int64_t value = 0;

	(void)state;
	memset(&one, 0, sizeof(one));
	memset(&two, 0, sizeof(two));
	hd_gauge_add(&one.e, 3);
	hd_gauge_add(&two.e, -5);
	hd_metric_add(&before[5], &one, &value, NULL);
	hd_metric_add(&before[5], &two, &value, NULL);
	assert_int_equal(value, -2);
	hd_observe(&one.c, 3000);
	hd_observe(&two.c, 4000);
	hd_metric_add(&before[2], &one, &value, &times);
	hd_metric_add(&before[2], &two, &value, &times);
	assert_int_equal(value, 2);
	assert_int_equal(times.n, 2);
	assert_int_equal(times.sum_ns, 7000);
}

struct small {
	struct hd_counter a, b;
};
#define SMALL(field, name, labels)                                             \
	HD_METRIC(struct small, field, name, labels, "help")

/* What the compiler cannot see, and what the loader says to it. */
static void wrong_tables(void **state)
{
	static const struct {
		struct hd_metric table[3];
		size_t size;
		const char *says; /* NULL: it is right */
	} cases[] = {
		{ { SMALL(a, "a_total", NULL), SMALL(b, "b_total", NULL) },
		  sizeof(struct small),
		  NULL },
		{ { SMALL(a, "a_total", "k=\"1\""),
		    SMALL(b, "a_total", "k=\"2\"") },
		  sizeof(struct small),
		  NULL },
		{ { SMALL(a, "a_total", NULL) },
		  sizeof(struct small),
		  "offset 8 of the struct of its metrics has 0 rows" },
		{ { SMALL(a, "a_total", NULL), SMALL(a, "b_total", NULL) },
		  sizeof(struct hd_counter),
		  "offset 0" },
		{ { SMALL(a, "a_total", NULL), SMALL(b, "a_total", NULL) },
		  sizeof(struct small),
		  "metric a_total{} has two rows" },
		{ { SMALL(a, "a_total", NULL), SMALL(b, "b_total", NULL) },
		  sizeof(struct hd_counter),
		  "metric b_total is not a field" },
		{ { SMALL(a, "a-total", NULL), SMALL(b, "b_total", NULL) },
		  sizeof(struct small),
		  "metric \"a-total\" needs" },
		{ { SMALL(a, "1a", NULL), SMALL(b, "b_total", NULL) },
		  sizeof(struct small),
		  "metric \"1a\" needs" },
	};
	struct hd_error err = { "" };

	(void)state;
	assert_int_equal(hd_metrics_check(NULL, 0, &err), 0);
	assert_true(hd_metrics_check(NULL, 8, &err) < 0);
	assert_int_equal(hd_metrics_check(before, sizeof(struct before), &err),
			 0);
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		int r = hd_metrics_check(cases[i].table, cases[i].size, &err);

		assert_int_equal(r, cases[i].says != NULL ? -EINVAL : 0);
		if (r < 0)
			assert_non_null(strstr(err.text, cases[i].says));
	}
}

static void the_core_table_is_right(void **state)
{
	struct hd_error err = { "" };

	(void)state;
	if (hd_metrics_check(hd_core_metrics, sizeof(struct hd_stats), &err) <
	    0)
		fail_msg("%s", err.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cells),
		cmocka_unit_test(below),
		cmocka_unit_test(percentiles),
		cmocka_unit_test(carried_over),
		cmocka_unit_test(added_up),
		cmocka_unit_test(wrong_tables),
		cmocka_unit_test(the_core_table_is_right),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
