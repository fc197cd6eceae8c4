/* SPDX-License-Identifier: MIT */
/* tools/hdctl/print.c - answers for people. */
#include "tools/hdctl/print.h"

#include <hyper-derp/base.h>
#include <string.h>
#include <time.h>

#include "tools/hdctl/clean.h"

enum { KEY_SHOWN = 12, LIST_SHOWN = 60, NAME_WIDTH = 16 };

/* ---- one value ---- */

const char *print_size(double n, char buf[32])
{
	static const char units[] = " KMGTPE";
	unsigned u = 0;

	for (; n >= 9999.5 && units[u + 1] != '\0'; u++)
		n /= 1024;
	if (u == 0)
		(void)snprintf(buf, 32, "%.0f", n);
	else
		(void)snprintf(buf, 32, "%.*f%c", n < 99.95 ? 1 : 0, n,
			       units[u]);
	return buf;
}

static void size_cell(const json_t *v, char *buf)
{
	print_size(json_number_value(v), buf);
}

static void span_cell(const json_t *v, char *buf)
{
	double s = json_number_value(v);
	long n = (long)s;

	if (s < 60)
		(void)snprintf(buf, PRINT_CELL_BYTES, "%.1fs", s);
	else if (n < 3600)
		(void)snprintf(buf, PRINT_CELL_BYTES, "%ldm%02lds", n / 60,
			       n % 60);
	else if (n < 86400)
		(void)snprintf(buf, PRINT_CELL_BYTES, "%ldh%02ldm", n / 3600,
			       n / 60 % 60);
	else
		(void)snprintf(buf, PRINT_CELL_BYTES, "%ldd%02ldh", n / 86400,
			       n / 3600 % 24);
}

static void time_cell(const json_t *v, char *buf)
{
	double t = json_number_value(v);
	time_t s = (time_t)t;
	struct tm tm;
	size_t n;

	localtime_r(&s, &tm);
	n = strftime(buf, PRINT_CELL_BYTES, "%m-%d %H:%M:%S", &tm);
	(void)snprintf(buf + n, PRINT_CELL_BYTES - n, ".%03d",
		       (int)((t - (double)s) * 1000));
}

static void key_cell(const json_t *v, char *buf)
{
	(void)snprintf(buf, PRINT_CELL_BYTES, "%.*s", KEY_SHOWN,
		       json_string_value(v));
}

static const struct {
	const char *name; /* with * at the end: begins so */
	void (*cell)(const json_t *v, char *buf);
	json_type type;
} cells[] = {
	{ "bytes*", size_cell, JSON_INTEGER },
	{ "queued", size_cell, JSON_INTEGER },
	{ "seconds", span_cell, JSON_REAL },
	{ "seconds", span_cell, JSON_INTEGER },
	{ "uptime_s", span_cell, JSON_REAL },
	{ "handshake_s", span_cell, JSON_REAL },
	{ "seen_s", span_cell, JSON_REAL },
	{ "rx_bytes", size_cell, JSON_INTEGER },
	{ "fwd_bytes", size_cell, JSON_INTEGER },
	{ "time", time_cell, JSON_REAL },
	{ "key", key_cell, JSON_STRING },
	{ "src", key_cell, JSON_STRING },
	{ "dst", key_cell, JSON_STRING },
};

static bool is_named(const char *pattern, const char *name)
{
	size_t n = strlen(pattern);

	if (pattern[n - 1] == '*')
		return strncmp(pattern, name, n - 1) == 0;
	return strcmp(pattern, name) == 0;
}

static void list_cell(const json_t *v, char *buf)
{
	char item[PRINT_CELL_BYTES];
	const char *name;
	const json_t *e;
	size_t i, n = 0;

	buf[0] = '\0';
	json_array_foreach(v, i, e) if (n < LIST_SHOWN) n +=
		(size_t)snprintf(buf + n, PRINT_CELL_BYTES - n, "%s%.80s",
				 i > 0 ? " " : "", print_cell("", e, item));
	json_object_foreach ((json_t *)v, name, e)
		if (n < LIST_SHOWN)
			n += (size_t)snprintf(buf + n, PRINT_CELL_BYTES - n,
					      "%s%.40s=%.80s", n > 0 ? " " : "",
					      name, print_cell(name, e, item));
	if (n >= LIST_SHOWN)
		(void)snprintf(buf + n, PRINT_CELL_BYTES - n, " ...");
}

/* What a peer or a file calls itself must not move the cursor. */
static void clean(char buf[PRINT_CELL_BYTES])
{
	char raw[PRINT_CELL_BYTES];

	memcpy(raw, buf, sizeof(raw));
	clean_copy(buf, PRINT_CELL_BYTES, raw);
}

const char *print_cell(const char *name, const json_t *v,
		       char buf[PRINT_CELL_BYTES])
{
	for (size_t i = 0; i < HD_ARRAY_N(cells); i++)
		if (json_typeof(v) == cells[i].type &&
		    is_named(cells[i].name, name)) {
			cells[i].cell(v, buf);
			clean(buf);
			return buf;
		}
	if (json_is_string(v))
		(void)snprintf(buf, PRINT_CELL_BYTES, "%s",
			       json_string_value(v));
	else if (json_is_integer(v))
		(void)snprintf(buf, PRINT_CELL_BYTES, "%lld",
			       (long long)json_integer_value(v));
	else if (json_is_real(v))
		(void)snprintf(buf, PRINT_CELL_BYTES, "%.3f",
			       json_real_value(v));
	else if (json_is_boolean(v))
		strcpy(buf, json_is_true(v) ? "yes" : "no");
	else if (json_is_array(v) || json_is_object(v))
		list_cell(v, buf);
	else
		strcpy(buf, "-");
	clean(buf);
	return buf;
}

/* ---- the rest ---- */

static int name_width(const json_t *o)
{
	const char *name;
	const json_t *v;
	size_t w = NAME_WIDTH;

	json_object_foreach ((json_t *)o, name, v)
		if (!json_is_object(v))
			w = HD_MAX(w, strlen(name));
	return (int)w;
}

static void put_member(FILE *out, const char *name, const json_t *v, int indent,
		       int width)
{
	char buf[PRINT_CELL_BYTES], clean_name[200];
	bool whole = strcmp(name, "key") == 0 && json_is_string(v);

	fprintf(out, "%*s%-*s  %s\n", indent, "", width,
		clean_copy(clean_name, sizeof(clean_name), name),
		whole ? clean_copy(buf, sizeof(buf), json_string_value(v))
		      : print_cell(name, v, buf));
}

static void print_object(FILE *out, const json_t *o, int indent)
{
	char buf[PRINT_CELL_BYTES];
	int w = name_width(o);
	const char *name;
	const json_t *v, *e;
	size_t i;

	json_object_foreach ((json_t *)o, name, v) {
		bool objects = json_is_object(json_array_get(v, 0));

		if (json_is_object(v) || objects)
			fprintf(out, "%*s%s\n", indent, "",
				clean_copy(buf, sizeof(buf), name));
		if (json_is_object(v))
			print_object(out, v, indent + 2);
		else if (objects)
			json_array_foreach(v, i, e)
				fprintf(out, "%*s%s\n", indent + 2, "",
					print_cell("", e, buf));
		else
			put_member(out, name, v, indent, w);
	}
}

static void print_text(FILE *out, const char *text)
{
	size_t n = strlen(text);

	clean_put(out, text, true);
	if (n > 0 && text[n - 1] != '\n')
		fputc('\n', out);
}

void print_answer(FILE *out, const json_t *data, const char *columns)
{
	const json_t *first = json_array_get(data, 0), *e;
	char buf[PRINT_CELL_BYTES];
	size_t i;

	if (data == NULL || json_is_null(data))
		fputs("ok\n", out);
	else if (json_is_string(data))
		print_text(out, json_string_value(data));
	else if (json_is_object(data))
		print_object(out, data, 0);
	else if (json_is_object(first) ||
		 (json_is_array(data) && first == NULL && columns != NULL))
		print_table(out, data, columns); /* of none: their names */
	else if (json_is_array(data) && first == NULL)
		fputs("none\n", out);
	else if (json_is_array(data))
		json_array_foreach(data, i, e)
			fprintf(out, "%s\n", print_cell("", e, buf));
	else
		fprintf(out, "%s\n", print_cell("", data, buf));
}
