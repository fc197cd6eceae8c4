/* SPDX-License-Identifier: MIT */
/* tools/hdctl/print_table.c - rows under the names of their members. */
#include "tools/hdctl/print.h"

#include <hyper-derp/base.h>
#include <string.h>

#include "tools/hdctl/clean.h"

enum { COLUMNS_MAX = 32, TEXT_LEAST = 15, GAP = 2, CELL_MAX = 120 };

struct table {
	char names[COLUMNS_MAX][48];
	size_t width[COLUMNS_MAX];
	bool right[COLUMNS_MAX]; /* numbers */
	unsigned n;
};

static void column_add(struct table *t, const char *name, size_t len)
{
	if (t->n == COLUMNS_MAX || len == 0 || len >= sizeof(t->names[0]))
		return;
	memcpy(t->names[t->n], name, len);
	t->names[t->n][len] = '\0';
	t->width[t->n] = len;
	t->n++;
}

/* Some answers have a column only when it was asked for. */
static bool has_column(const json_t *rows, const char *name)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
		if (json_object_get(row, name) != NULL)
			return true;
	return json_array_size(rows) == 0;
}

static void choose_columns(struct table *t, const json_t *rows,
			   const char *columns)
{
	const json_t *first = json_array_get(rows, 0);
	const char *name;
	const json_t *v;

	for (; columns != NULL && *columns != '\0';
	     columns += strspn(columns, " ")) {
		size_t n = strcspn(columns, " ");

		column_add(t, columns, n);
		if (t->n > 0 && !has_column(rows, t->names[t->n - 1]))
			t->n--;
		columns += n;
	}
	if (t->n == 0)
		json_object_foreach ((json_t *)first, name, v)
			column_add(t, name, strlen(name));
}

static const char *cell_of(const struct table *t, const json_t *row, unsigned i,
			   char buf[PRINT_CELL_BYTES])
{
	const json_t *v = json_object_get(row, t->names[i]);

	return v != NULL ? print_cell(t->names[i], v, buf) : strcpy(buf, "-");
}

static void measure(struct table *t, const json_t *rows)
{
	char buf[PRINT_CELL_BYTES];
	const json_t *row;
	size_t r;

	json_array_foreach(rows, r, row) for (unsigned i = 0; i < t->n; i++)
	{
		size_t n = strlen(cell_of(t, row, i, buf));

		t->width[i] = HD_MAX(t->width[i], n);
		t->right[i] |=
			json_is_number(json_object_get(row, t->names[i]));
	}
}

static size_t width_of(const struct table *t, unsigned i)
{
	return HD_MIN(t->width[i], CELL_MAX + 0u);
}

static void put_cell(FILE *out, const struct table *t, unsigned i,
		     const char *text)
{
	int w = (int)width_of(t, i);

	if (i + 1 == t->n && !t->right[i])
		fprintf(out, "%s\n", text);
	else
		fprintf(out, t->right[i] ? "%*s%s" : "%-*s%s", w, text,
			i + 1 == t->n ? "\n" : "  ");
}

static void put_names(FILE *out, const struct table *t)
{
	char name[sizeof(t->names[0]) * 6];

	for (unsigned i = 0; i < t->n; i++)
		put_cell(out, t, i,
			 clean_copy(name, sizeof(name), t->names[i]));
}

void print_table(FILE *out, const json_t *rows, const char *columns)
{
	struct table t = { .n = 0 };
	char buf[PRINT_CELL_BYTES];
	const json_t *row;
	size_t r;

	choose_columns(&t, rows, columns);
	measure(&t, rows);
	put_names(out, &t);
	json_array_foreach(rows, r, row) for (unsigned i = 0; i < t.n; i++)
		put_cell(out, &t, i, cell_of(&t, row, i, buf));
}

/* ---- no wider than a terminal ---- */

static void column_keep(struct table *t, unsigned from, size_t width)
{
	memcpy(t->names[t->n], t->names[from], sizeof(t->names[0]));
	t->width[t->n] = width;
	t->right[t->n] = t->right[from];
	t->n++;
}

/* The columns come in the order of their weight: one that does not fit is left
 * out, text is cut if enough of it remains. */
static void drop_columns(struct table *t, size_t width)
{
	unsigned n = t->n;
	size_t used = 0;

	t->n = 0;
	for (unsigned i = 0; i < n; i++) {
		size_t gap = t->n > 0 ? GAP : 0;
		size_t left = used + gap < width ? width - used - gap : 0;
		size_t w = width_of(t, i);

		if (w > left && (t->right[i] || left < TEXT_LEAST))
			continue;
		column_keep(t, i, HD_MIN(w, left));
		used += gap + HD_MIN(w, left);
	}
}

/* Keeps the end of characters whole. */
static void cut(char *text, size_t width)
{
	if (strlen(text) <= width || width == 0)
		return;
	width--;
	while (width > 0 && ((unsigned char)text[width] & 0xc0) == 0x80)
		width--;
	strcpy(text + width, "~");
}

void print_table_fit(FILE *out, const json_t *rows, const char *columns,
		     size_t width, size_t most)
{
	struct table t = { .n = 0 };
	char buf[PRINT_CELL_BYTES];
	const json_t *row;
	size_t r;

	choose_columns(&t, rows, columns);
	measure(&t, rows);
	drop_columns(&t, width);
	put_names(out, &t);
	json_array_foreach(rows, r, row)
	{
		if (r == most)
			break;
		for (unsigned i = 0; i < t.n; i++) {
			cell_of(&t, row, i, buf);
			cut(buf, t.width[i]);
			put_cell(out, &t, i, buf);
		}
	}
}
