/* SPDX-License-Identifier: MIT */
/* core/base/metric_table.c - tables of metrics: whether they are right, their
 * numbers, and what histograms say. */
#include "core/base/metric_table.h"
#include <errno.h>
#include <string.h>

/* ---- tables ---- */

static size_t field_bytes(const struct hd_metric *row)
{
	return row->kind == HD_METRIC_HISTOGRAM ? sizeof(struct hd_histogram)
						: sizeof(struct hd_counter);
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:"

/* Source: https://prometheus.io/docs/concepts/data_model, metric names. */
static bool is_name(const char *s)
{
	return *s != '\0' && strchr(LETTERS, *s) != NULL &&
	       s[strspn(s, LETTERS "0123456789")] == '\0';
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_row(const struct hd_metric *a, const struct hd_metric *b)
{
	return strcmp(a->name, b->name) == 0 &&
	       same_text(a->labels, b->labels) && a->kind == b->kind;
}

static int check_row(const struct hd_metric *row, size_t size,
		     struct hd_error *err)
{
	if (!is_name(row->name) || row->help == NULL)
		return hd_error_set(err, -EINVAL,
				    "metric \"%s\" needs a help text and a "
				    "name of letters, digits and underscores",
				    row->name);
	if ((unsigned)row->kind > HD_METRIC_HISTOGRAM ||
	    row->offset % sizeof(uint64_t) != 0 || row->offset > size ||
	    field_bytes(row) > size - row->offset)
		return hd_error_set(err, -EINVAL,
				    "metric %s is not a field of the struct of "
				    "%zu bytes; write its row with HD_METRIC()",
				    row->name, size);
	return 0;
}

/* The rows before it say nothing else. */
static int check_twin(const struct hd_metric *row, const struct hd_metric *at,
		      struct hd_error *err)
{
	if (strcmp(row->name, at->name) != 0)
		return 0;
	if (row->kind != at->kind)
		return hd_error_set(err, -EINVAL,
				    "metric %s has rows of two kinds",
				    row->name);
	if (same_text(row->labels, at->labels))
		return hd_error_set(err, -EINVAL, "metric %s{%s} has two rows",
				    row->name,
				    row->labels != NULL ? row->labels : "");
	return 0;
}

static int check_rows(const struct hd_metric *table, size_t size,
		      struct hd_error *err)
{
	int r = 0;

	for (const struct hd_metric *row = table; r == 0 && row->name != NULL;
	     row++) {
		r = check_row(row, size, err);
		for (const struct hd_metric *at = table; r == 0 && at < row;
		     at++)
			r = check_twin(row, at, err);
	}
	return r;
}

static unsigned rows_at(const struct hd_metric *table, size_t offset)
{
	unsigned n = 0;

	for (const struct hd_metric *row = table; row->name != NULL; row++)
		n += offset - row->offset < field_bytes(row);
	return n;
}

int hd_metrics_check(const struct hd_metric *table, size_t size,
		     struct hd_error *err)
{
	static const struct hd_metric none[] = { HD_METRIC_END };
	int r;

	table = table != NULL ? table : none;
	r = check_rows(table, size, err);
	for (size_t at = 0; r == 0 && at < size; at += sizeof(uint64_t))
		if (rows_at(table, at) != 1)
			r = hd_error_set(err, -EINVAL,
					 "the field at offset %zu of the "
					 "struct of its metrics has %u rows in "
					 "their table, not 1",
					 at, rows_at(table, at));
	return r;
}

/* ---- numbers ---- */

static void carry_row(void *to, const struct hd_metric *row, const void *from,
		      const struct hd_metric *table)
{
	for (; table->name != NULL; table++)
		if (same_row(row, table))
			memcpy((char *)to + row->offset,
			       (const char *)from + table->offset,
			       field_bytes(row));
}

void hd_metrics_carry(void *to, const struct hd_metric *to_table,
		      const void *from, const struct hd_metric *from_table)
{
	if (from == NULL || from_table == NULL || to_table == NULL)
		return;
	for (; to_table->name != NULL; to_table++)
		carry_row(to, to_table, from, from_table);
}

static void add_times(struct hd_times *t, const struct hd_histogram *h)
{
	t->sum_ns += hd_counter_read(&h->sum_ns);
	for (unsigned i = 0; i < HD_HISTOGRAM_CELLS; i++) {
		uint64_t n = hd_counter_read(&h->cells[i]);

		t->cells[i] += n;
		t->n += n;
	}
}

void hd_metric_add(const struct hd_metric *row, const void *numbers,
		   int64_t *value, struct hd_times *times)
{
	const void *field = (const char *)numbers + row->offset;

	if (row->kind != HD_METRIC_HISTOGRAM) {
		*value += (int64_t)hd_counter_read(field);
		return;
	}
	add_times(times, field);
	*value = (int64_t)times->n;
}

/* ---- histograms ---- */

uint64_t hd_times_below(const struct hd_times *t, unsigned exp)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < 4 * (exp - 1) && i < HD_HISTOGRAM_CELLS; i++)
		n += t->cells[i];
	return n;
}

/* The last microsecond that a cell counts. */
static uint64_t cell_end_us(unsigned i)
{
	if (i < 4)
		return i;
	return ((uint64_t)(i % 4 + 5) << (i / 4 - 1)) - 1;
}

uint64_t hd_times_us(const struct hd_times *t, double q)
{
	uint64_t want = HD_MAX(1, (uint64_t)((double)t->n * q + 0.5)), n = 0;
	unsigned i = 0;

	if (t->n == 0)
		return 0;
	while (i < HD_HISTOGRAM_CELLS - 1 && (n += t->cells[i]) < want)
		i++;
	return cell_end_us(i);
}
