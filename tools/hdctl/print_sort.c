/* SPDX-License-Identifier: MIT */
/* tools/hdctl/print_sort.c - rows in the order of a member. */
#include "tools/hdctl/print.h"

#include <stdlib.h>
#include <string.h>

static const char *sort_by; /* qsort has no argument */

static double sort_number(const json_t *row)
{
	const char *name;
	const json_t *v;
	double sum = 0;

	json_object_foreach ((json_t *)row, name, v)
		if (json_is_number(v) &&
		    strncmp(name, sort_by, strlen(sort_by)) == 0)
			sum += json_number_value(v);
	return sum;
}

static int compare_rows(const void *a, const void *b)
{
	const json_t *ra = *(json_t *const *)a, *rb = *(json_t *const *)b;
	const char *ta = json_string_value(json_object_get(ra, sort_by));
	const char *tb = json_string_value(json_object_get(rb, sort_by));
	double na, nb;

	if (ta != NULL && tb != NULL)
		return strcmp(ta, tb);
	na = sort_number(ra);
	nb = sort_number(rb);
	return (na < nb) - (na > nb);
}

static bool has_member(const json_t *rows, const char *by)
{
	const json_t *row, *v;
	const char *name;
	size_t i;

	json_array_foreach(rows, i, row)
		json_object_foreach ((json_t *)row, name, v)
			if (strncmp(name, by, strlen(by)) == 0)
				return true;
	return json_array_size(rows) == 0;
}

bool print_sort(json_t *data, const char *by)
{
	size_t n = json_array_size(data);
	json_t **rows = calloc(n + 1, sizeof(*rows));

	if (!has_member(data, by) || rows == NULL) {
		free(rows);
		return false;
	}
	for (size_t i = 0; i < n; i++)
		rows[i] = json_incref(json_array_get(data, i));
	sort_by = by;
	qsort(rows, n, sizeof(*rows), compare_rows);
	for (size_t i = 0; i < n; i++)
		json_array_set_new(data, i, rows[i]);
	free(rows);
	return true;
}
