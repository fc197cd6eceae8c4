/* SPDX-License-Identifier: MIT */
/* t/unit/metric_family.c - series whose label values come at run time: the
 * bound, slots used again, what two workers count, escapes, new code. */
#include "core/module/metric_family.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "core/base/kind.h"
#include "core/loop/worker.h"
#include "t/unit/unit.h"

enum { WORKERS = 2 };

static struct hd_worker workers[WORKERS];
static unsigned warnings;

unsigned __wrap_hd_workers(void);
struct hd_worker *__wrap_hd_worker_at(unsigned i);
void __wrap_hd_log_write(int level, const char *fmt, ...);

unsigned __wrap_hd_workers(void)
{
	return WORKERS;
}

struct hd_worker *__wrap_hd_worker_at(unsigned i)
{
	return &workers[i];
}

void __wrap_hd_log_write(int level, const char *fmt, ...)
{
	(void)level;
	warnings += strstr(fmt, "series in use") != NULL;
}

struct numbers {
	struct hd_counter packets;
	struct hd_gauge up;
};
static const struct hd_metric rows[] = {
	HD_METRIC(struct numbers, packets, "x_packets_total", NULL, "p"),
	HD_METRIC(struct numbers, up, "x_up", "k=\"v\"", "u"),
	HD_METRIC_END,
};

/* Of new code. */
struct more {
	struct hd_counter bytes;
	struct hd_histogram wait;
	struct hd_counter packets;
};
static const struct hd_metric more_rows[] = {
	HD_METRIC(struct more, bytes, "x_bytes_total", NULL, "b"),
	HD_METRIC(struct more, wait, "x_wait_seconds", NULL, "w"),
	HD_METRIC(struct more, packets, "x_packets_total", NULL, "p"),
	HD_METRIC_END,
};

static struct hd_module mod = { .name = "x" };

static struct hd_family *add_labels(const char *const *labels, uint32_t max)
{
	struct hd_family_def def = {
		.name = "links",
		.metrics = rows,
		.size = sizeof(struct numbers),
		.max = max,
	};
	struct hd_family *f = NULL;
	struct hd_error err = { "" };

	memcpy(def.labels, labels, 2 * sizeof(*labels));
	if (hd_family_add(&mod, &def, &f, &err) < 0)
		fail_msg("%s", err.text);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(hd_families_prepare(&mod, i), 0);
	return f;
}

static struct hd_family *add(uint32_t max)
{
	static const char *const labels[] = { "link", NULL };

	return add_labels(labels, max);
}

static int begin(void **state)
{
	(void)state;
	for (unsigned i = 0; i < WORKERS; i++)
		workers[i].index = i;
	warnings = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	hd_family_kind.withdraw(&mod);
	hd_family_kind.reclaim();
	return 0;
}

static struct hd_series begin_one(struct hd_family *f, const char *value)
{
	return hd_series_open(f, (const char *const[]){ value, value });
}

static void count(struct hd_family *f, unsigned worker, struct hd_series s,
		  uint64_t n)
{
	struct numbers *v = hd_series_numbers(f, &workers[worker], s);

	hd_count(&v->packets, n);
}

struct look {
	const char *name, *labels;
	int64_t value;
	unsigned found;
};

static void on_sample(void *arg, const struct hd_sample *s)
{
	struct look *look = arg;

	if (strcmp(s->name, look->name) == 0 &&
	    strcmp(s->labels, look->labels) == 0) {
		look->value = s->value;
		look->found++;
	}
}

/* -1: there is none. */
static int64_t value_of(struct hd_family *f, const char *name,
			const char *labels)
{
	struct look look = { name, labels, 0, 0 };

	hd_family_read(NULL, f, on_sample, &look);
	assert_in_range(look.found, 0, 1);
	return look.found > 0 ? look.value : -1;
}

static int64_t packets(struct hd_family *f, const char *link)
{
	char labels[64];

	snprintf(labels, sizeof(labels), "link=\"%s\"", link);
	return value_of(f, "x_packets_total", labels);
}

static int64_t refused(struct hd_family *f)
{
	return value_of(f, "hyper_derp_series_refused_total",
			"module=\"x\",family=\"links\"");
}

static void added_up(void **state)
{
	struct hd_family *f = add(2);
	struct hd_series a = begin_one(f, "a"), same = begin_one(f, "a");
	struct numbers *v = hd_series_numbers(f, &workers[1], a);

	(void)state;
	assert_int_equal(a.slot, same.slot);
	count(f, 0, a, 3);
	count(f, 1, same, 4);
	hd_gauge_add(&v->up, -2);
	assert_int_equal(packets(f, "a"), 7);
	assert_int_equal(value_of(f, "x_up", "k=\"v\",link=\"a\""), -2);
	assert_int_equal(packets(f, "other"), 0);
	assert_int_equal(packets(f, "b"), -1);
	assert_int_equal(begin_one(f, "other").slot, 0);
	assert_int_equal(refused(f), 0);
}

static void beyond_the_bound(void **state)
{
	struct hd_family *f = add(2);

	(void)state;
	count(f, 0, begin_one(f, "a"), 1);
	count(f, 0, begin_one(f, "b"), 1);
	count(f, 0, begin_one(f, "c"), 5);
	count(f, 1, begin_one(f, "d"), 6);
	count(f, 1, begin_one(f, "a"), 1);
	assert_int_equal(packets(f, "other"), 11);
	assert_int_equal(packets(f, "a"), 2);
	assert_int_equal(packets(f, "c"), -1);
	assert_int_equal(refused(f), 2);
	assert_int_equal(warnings, 1);
}

static void slots_are_used_again(void **state)
{
	struct hd_family *f = add(2);
	struct hd_series a = begin_one(f, "a"), b = begin_one(f, "b"), old = a;

	(void)state;
	count(f, 0, a, 1);
	count(f, 1, b, 2);
	hd_series_end(f, &a);
	assert_int_equal(a.slot, 0);
	assert_int_equal(packets(f, "a"), 1); /* its last numbers */
	a = begin_one(f, "a");
	count(f, 0, a, 1);
	assert_int_equal(packets(f, "a"), 2); /* never backwards */
	hd_series_end(f, &a);
	hd_series_end(f, &b);
	struct hd_series c = begin_one(f, "c"); /* a ended first */
	assert_int_equal(packets(f, "a"), -1);
	assert_int_equal(packets(f, "b"), 2);
	assert_int_equal(packets(f, "c"), 0);
	count(f, 0, c, 9);
	assert_int_equal(packets(f, "c"), 9);
	count(f, 0, old, 4); /* a handle of a */
	assert_int_equal(packets(f, "c"), 9);
	assert_int_equal(packets(f, "other"), 4);
	hd_series_end(f, &old); /* nor does it end c */
	begin_one(f, "d");
	assert_int_equal(packets(f, "c"), 9);
	assert_int_equal(refused(f), 0);
}

static void references(void **state)
{
	struct hd_family *f = add(1);
	struct hd_series one = begin_one(f, "a"), two = begin_one(f, "a");

	(void)state;
	hd_series_end(f, &one);
	assert_int_equal(begin_one(f, "b").slot, 0);
	hd_series_end(f, &two);
	assert_int_not_equal(begin_one(f, "b").slot, 0);
}

static void escapes(void **state)
{
	static const struct {
		const char *value, *text;
	} cases[] = {
		{ "", "" },
		{ "a\"b\\c\nd", "a\\\"b\\\\c\\nd" },
		{ "}, x=1 #", "}, x=1 #" },
		{ "\xc3\xa4\xff\xc3", "\xc3\xa4??" },
	};
	struct hd_family *f = add(64);
	char text[HD_FAMILY_TEXT_BYTES], want[HD_FAMILY_TEXT_BYTES], big[200];

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		hd_family_text(f, &cases[i].value, text);
		snprintf(want, sizeof(want), "link=\"%s\"", cases[i].text);
		assert_string_equal(text, want);
	}
	memset(big, '"', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	hd_family_text(f, &(const char *){ big }, text);
	assert_int_equal(strlen(text), strlen("link=\"\"") + 2 * 64);
	memcpy(big + 63, "\xc3\xa4", 3); /* no half a letter */
	hd_family_text(f, &(const char *){ big }, text);
	assert_int_equal(strlen(text), strlen("link=\"\"") + 2 * 63);
}

/* As a reload does: withdraw, load() of new code, prepare, reclaim. */
static void new_code(void **state)
{
	struct hd_family *f = add(1), *g = NULL;
	struct hd_series a = begin_one(f, "a");
	const struct hd_family_def def = {
		.name = "links",
		.labels = { "link" },
		.metrics = more_rows,
		.size = sizeof(struct more),
		.max = 2,
	};
	struct hd_error err = { "" };

	(void)state;
	count(f, 0, a, 3);
	count(f, 1, (struct hd_series){ 0 }, 5);
	hd_family_kind.end_here(&workers[0], &mod, true);
	hd_family_kind.withdraw(&mod);
	assert_int_equal(hd_family_add(&mod, &def, &g, &err), 0);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(hd_families_prepare(&mod, i), 0);
	hd_family_kind.reclaim();
	assert_int_equal(packets(g, "a"), 3);
	assert_int_equal(packets(g, "other"), 5);
	struct more *v = hd_series_numbers(g, &workers[0], a);
	hd_count(&v->packets, 1);
	hd_observe(&v->wait, 1000);
	assert_int_equal(packets(g, "a"), 4);
	assert_int_equal(value_of(g, "x_wait_seconds", "link=\"a\""), 1);
	assert_int_not_equal(begin_one(g, "b").slot, 0); /* max has grown */
	hd_family_kind.end_here(&workers[0], &mod, false);
	begin_one(g, "c"); /* all have ended: a goes */
	assert_int_equal(packets(g, "a"), -1);
}

static void refusals(void **state)
{
	static const struct {
		struct hd_family_def def;
		const char *says;
	} cases[] = {
		{ { "x", { NULL }, rows, sizeof(struct numbers), 1 }, "label" },
		{ { "x", { "a-b" }, rows, sizeof(struct numbers), 1 },
		  "label" },
		{ { "x", { "__a" }, rows, sizeof(struct numbers), 1 },
		  "label" },
		{ { "x",
		    { "a", "b", "c", "d", "e" },
		    rows,
		    sizeof(struct numbers),
		    1 },
		  "label" },
		{ { "x", { "a" }, rows, sizeof(struct numbers), 0 },
		  "1 to 65536" },
		{ { "x", { "a" }, rows, 8, 1 }, "x_up is not a field" },
		{ { "links", { "a" }, rows, sizeof(struct numbers), 1 },
		  "two families" },
	};
	struct hd_family *f = add(1);
	struct hd_error err;

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		assert_true(hd_family_add(&mod, &cases[i].def, &f, &err) < 0);
		assert_non_null(strstr(err.text, cases[i].says));
	}
}

/* ---- threads: series come and go while two workers count in them ---- */

enum { ROUNDS = 20000 };

static void *count_much(void *arg)
{
	struct hd_worker *w = arg;
	struct hd_family *f = hd_family_next(NULL, &mod);

	for (unsigned i = 0; i < ROUNDS; i++) {
		char value[16];

		snprintf(value, sizeof(value), "%u", i % 7);
		struct hd_series s = begin_one(f, value);
		count(f, w->index, s, 1);
		hd_series_end(f, &s);
	}
	return NULL;
}

static void at_once(void **state)
{
	struct hd_family *f = add(7);
	pthread_t threads[WORKERS];
	int64_t sum = 0, before = 0;
	char name[2] = "0";

	(void)state;
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_create(&threads[i], NULL, count_much, &workers[i]);
	for (unsigned i = 0; i < 200; i++) {
		int64_t n = packets(f, "3");

		assert_true(n >= before || n == -1);
		before = HD_MAX(n, before);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	for (; name[0] < '7'; name[0]++)
		sum += packets(f, name);
	assert_int_equal(sum, WORKERS * ROUNDS);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(added_up),
		TEST(beyond_the_bound),
		TEST(slots_are_used_again),
		TEST(references),
		TEST(escapes),
		TEST(new_code),
		TEST(refusals),
		TEST(at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
