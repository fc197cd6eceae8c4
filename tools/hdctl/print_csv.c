/* SPDX-License-Identifier: MIT */
/* tools/hdctl/print_csv.c - tables for spreadsheets: RFC 4180, with the names
 * of the members as the first line, and numbers as they are. */
#include "tools/hdctl/print.h"

#include <string.h>

#include "tools/hdctl/clean.h"

/* Spreadsheets take a text that begins so for a formula, and run it: names are
 * what clients say of themselves. */
static bool is_formula(const char *text)
{
	return text[0] != '\0' && strchr("=+-@", text[0]) != NULL;
}

static void put_text(FILE *out, const char *text)
{
	char buf[PRINT_CELL_BYTES] = "'";
	size_t mark = is_formula(text);

	clean_copy(buf + mark, sizeof(buf) - mark, text);
	if (strpbrk(buf, ",\"") == NULL) {
		fputs(buf, out);
		return;
	}
	fputc('"', out);
	for (const char *p = buf; *p != '\0'; p++) {
		if (*p == '"')
			fputc('"', out);
		fputc(*p, out);
	}
	fputc('"', out);
}

static void put_value(FILE *out, const char *name, const json_t *v)
{
	char buf[PRINT_CELL_BYTES];

	if (json_is_string(v))
		put_text(out, json_string_value(v));
	else if (json_is_integer(v))
		fprintf(out, "%lld", (long long)json_integer_value(v));
	else if (json_is_real(v))
		fprintf(out, "%.6f", json_real_value(v));
	else if (json_is_boolean(v))
		fputs(json_is_true(v) ? "true" : "false", out);
	else if (v != NULL && !json_is_null(v))
		put_text(out, print_cell(name, v, buf));
}

/* Without rows, what would be shown of them. */
static void put_head(FILE *out, const json_t *first, const char *columns)
{
	const char *name, *sep = "";
	const json_t *v;

	json_object_foreach ((json_t *)first, name, v) {
		fputs(sep, out);
		put_text(out, name);
		sep = ",";
	}
	for (; first == NULL && columns != NULL && *columns != '\0'; columns++)
		fputc(*columns == ' ' ? ',' : *columns, out);
	fputs("\r\n", out);
}

bool print_csv(FILE *out, const json_t *rows, const char *columns)
{
	const json_t *first = json_array_get(rows, 0), *row, *v;
	const char *name, *sep;
	size_t i;

	if (!json_is_array(rows) || (first != NULL && !json_is_object(first)))
		return false;
	put_head(out, first, columns);
	json_array_foreach(rows, i, row)
	{
		sep = "";
		json_object_foreach ((json_t *)first, name, v) {
			fputs(sep, out);
			put_value(out, name, json_object_get(row, name));
			sep = ",";
		}
		fputs("\r\n", out);
	}
	return true;
}
