/* SPDX-License-Identifier: MIT */
/* t/unit/metrics_page.c - the text writers of the metrics module. What is
 * expected stands in the two formats' documents (modules/metrics/page.h). */
#include "modules/metrics/page.h"
#include <string.h>
#include "t/unit/unit.h"

static void is_text(struct metrics_text *t, const char *want)
{
	metrics_put(t, "", 1);
	assert_false(t->failed);
	assert_string_equal(t->v, want);
	metrics_text_free(t);
}

static void labels(void **state)
{
	static const struct {
		const char *value, *want;
	} cases[] = {
		{ "", "l=\"\"" },
		{ "plain", "l=\"plain\"" },
		{ "C:\\DIR", "l=\"C:\\\\DIR\"" },
		{ "say \"hi\"", "l=\"say \\\"hi\\\"\"" },
		{ "two\nlines", "l=\"two\\nlines\"" },
		{ "tab\tstays", "l=\"tab\tstays\"" },
		{ "gr\xc3\xbc\xc3\x9f", "l=\"gr\xc3\xbc\xc3\x9f\"" },
		{ "\xf0\x9f\x98\x80", "l=\"\xf0\x9f\x98\x80\"" },
		/* Latin-1, overlong, surrogate, cut off, above U+10FFFF */
		{ "\xfc", "l=\"\xef\xbf\xbd\"" },
		{ "\xc0\xaf", "l=\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xed\xa0\x80",
		  "l=\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xe2\x82", "l=\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xf4\x90\x80\x80", "l=\"\xef\xbf\xbd\xef\xbf\xbd"
				      "\xef\xbf\xbd\xef\xbf\xbd\"" },
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		struct metrics_text t = { 0 };

		metrics_put_label(&t, "l", cases[i].value);
		is_text(&t, cases[i].want);
	}
}

static void json(void **state)
{
	struct metrics_text t = { 0 };

	(void)state;
	metrics_put_json(&t, "a\"b\\c\nd\x01\xff\x7f");
	is_text(&t, "\"a\\\"b\\\\c\\nd\\u0001\xef\xbf\xbd\x7f\"");
}

static void help(void **state)
{
	struct metrics_text t = { 0 };

	(void)state;
	metrics_put_help(&t, "a \"b\" \\ \n", false);
	is_text(&t, "a \"b\" \\\\ \\n");
	metrics_put_help(&t, "a \"b\"", true);
	is_text(&t, "a \\\"b\\\"");
}

/* Samples of a family stand together, whoever came between. */
static void fill(struct metrics_page *p)
{
	metrics_sample(metrics_family(p, "x_bytes_total", METRICS_COUNTER,
				      "Bytes", "one"),
		       "k=\"1\"", 1);
	metrics_sample(metrics_family(p, "y", METRICS_GAUGE, "Y", "one"), NULL,
		       INT64_MIN);
	metrics_sample(metrics_family(p, "x_bytes_total", METRICS_COUNTER,
				      "Bytes", "two"),
		       "k=\"2\"", 2);
	metrics_sample(metrics_family(p, "b_info", METRICS_INFO, "B", "one"),
		       "v=\"0\"", 1);
	metrics_sample(metrics_family(p, "old", METRICS_COUNTER, "Old", "one"),
		       NULL, 3);
	metrics_sample_real(
		metrics_family(p, "t_seconds", METRICS_GAUGE, "T", "one"), NULL,
		0.25);
}

static void prometheus_text(void **state)
{
	struct metrics_page p = { 0 };
	struct metrics_text t = { 0 };

	(void)state;
	fill(&p);
	metrics_write(&p, false, &t);
	is_text(&t, "# HELP x_bytes_total Bytes\n"
		    "# TYPE x_bytes_total counter\n"
		    "x_bytes_total{k=\"1\"} 1\n"
		    "x_bytes_total{k=\"2\"} 2\n"
		    "# HELP y Y\n"
		    "# TYPE y gauge\n"
		    "y -9223372036854775808\n"
		    "# HELP b_info B\n"
		    "# TYPE b_info gauge\n"
		    "b_info{v=\"0\"} 1\n"
		    "# HELP old Old\n"
		    "# TYPE old counter\n"
		    "old 3\n"
		    "# HELP t_seconds T\n"
		    "# TYPE t_seconds gauge\n"
		    "t_seconds 0.25\n");
	metrics_page_free(&p);
}

static void openmetrics(void **state)
{
	struct metrics_page p = { 0 };
	struct metrics_text t = { 0 };

	(void)state;
	fill(&p);
	metrics_write(&p, true, &t);
	is_text(&t, "# HELP x_bytes Bytes\n"
		    "# TYPE x_bytes counter\n"
		    "# UNIT x_bytes bytes\n"
		    "x_bytes_total{k=\"1\"} 1\n"
		    "x_bytes_total{k=\"2\"} 2\n"
		    "# HELP y Y\n"
		    "# TYPE y gauge\n"
		    "y -9223372036854775808\n"
		    "# HELP b B\n"
		    "# TYPE b info\n"
		    "b_info{v=\"0\"} 1\n"
		    "# HELP old Old\n"
		    "# TYPE old unknown\n"
		    "old 3\n"
		    "# HELP t_seconds T\n"
		    "# TYPE t_seconds gauge\n"
		    "# UNIT t_seconds seconds\n"
		    "t_seconds 0.25\n"
		    "# EOF\n");
	metrics_page_free(&p);
}

static void histogram(void **state)
{
	struct hd_times h = { .n = 3, .sum_ns = 100001500 };
	struct metrics_page p = { 0 };
	struct metrics_text t = { 0 };

	(void)state;
	h.cells[hd_histogram_cell(1)]++;
	h.cells[hd_histogram_cell(100000)]++;
	h.cells[hd_histogram_cell(100000000)]++;
	metrics_sample_times(
		metrics_family(&p, "t_seconds", METRICS_HISTOGRAM, "T", "one"),
		"k=\"1\"", &h);
	metrics_write(&p, false, &t);
	metrics_put(&t, "", 1);
	assert_non_null(
		strstr(t.v, "\nt_seconds_bucket{k=\"1\",le=\"1.6e-05\"} 1\n"));
	assert_non_null(strstr(t.v, "le=\"0.065536\"} 1\n"));
	assert_non_null(strstr(t.v, "le=\"0.131072\"} 2\n"));
	assert_non_null(strstr(t.v, "le=\"16.777216\"} 2\n"));
	assert_non_null(strstr(t.v, "le=\"+Inf\"} 3\n"
				    "t_seconds_sum{k=\"1\"} 0.100001500\n"
				    "t_seconds_count{k=\"1\"} 3\n"));
	metrics_text_free(&t);
	metrics_page_free(&p);
}

/* What would make the page invalid is left out. */
static void wrong_tables(void **state)
{
	struct metrics_page p = { 0 };
	struct metrics_text t = { 0 };
	char long_name[METRICS_NAME_BYTES + 1];

	(void)state;
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_null(metrics_family(&p, "", METRICS_GAUGE, "", "one"));
	assert_null(metrics_family(&p, "1a", METRICS_GAUGE, "", "one"));
	assert_null(metrics_family(&p, "a b", METRICS_GAUGE, "", "one"));
	assert_null(metrics_family(&p, "a\n", METRICS_GAUGE, "", "one"));
	assert_null(metrics_family(&p, long_name, METRICS_GAUGE, "", "one"));
	metrics_sample(NULL, NULL, 1);
	metrics_sample(metrics_family(&p, "a", METRICS_GAUGE, NULL, "one"),
		       NULL, 1);
	assert_null(metrics_family(&p, "a", METRICS_COUNTER, "A", "two"));
	metrics_sample(metrics_family(&p, "a", METRICS_GAUGE, "A", "two"), NULL,
		       2);
	metrics_sample(metrics_family(&p, "a", METRICS_GAUGE, "A", "two"),
		       "k=\"1\"", 3);
	metrics_family(&p, "empty", METRICS_GAUGE, "E", "one");
	metrics_write(&p, false, &t);
	is_text(&t, "# HELP a \n# TYPE a gauge\na 1\na{k=\"1\"} 3\n");
	metrics_page_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels),
		cmocka_unit_test(json),
		cmocka_unit_test(help),
		cmocka_unit_test(openmetrics),
		cmocka_unit_test(prometheus_text),
		cmocka_unit_test(histogram),
		cmocka_unit_test(wrong_tables),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
