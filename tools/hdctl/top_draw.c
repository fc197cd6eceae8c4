/* SPDX-License-Identifier: MIT */
/* tools/hdctl/top_draw.c - top's page: the relay in a few lines, peers, pairs,
 * and in the last row what keys do. */
#include <stdlib.h>
#include <string.h>

#include <hyper-derp/base.h>

#include "tools/hdctl/print.h"
#include "tools/hdctl/screen.h"
#include "tools/hdctl/top.h"

#define PEER_COLUMNS                                                           \
	"key bytes_in/s bytes_out/s name tenant queued drops addr bytes_in "   \
	"bytes_out proto tls seconds worker agent"
#define PAIR_COLUMNS "src dst packets/s bytes/s packets bytes seconds"
/* Around the rows: two lines of numbers, drops, an empty one, the names of
 * columns, and the keys; before the pairs an empty one and their names. */
enum { LINES_AROUND = 6, LINES_OF_PAIRS = 2, COLUMNS_BYTES = 256 };

static const struct {
	const char *name;
	char key;
	const char *peers, *pairs; /* the columns; "bytes" sums in and out */
} orders[] = {
	{ "rate", 'r', "rate", "rate" },
	{ "in", 'i', "bytes_in/s", "rate" },
	{ "out", 'o', "bytes_out/s", "rate" },
	{ "total", 't', "bytes", "bytes" },
	{ "queued", 'u', "queued", "rate" },
	{ "drops", 'd', "drops", "rate" },
	{ "key", 'k', "key", "src" },
	{ "name", 'n', "name", "rate" },
	{ "tenant", 'e', "tenant", "rate" },
};

int top_order_by_key(int key)
{
	for (size_t i = 0; i < HD_ARRAY_N(orders); i++)
		if (orders[i].key == key)
			return (int)i;
	return -1;
}

int top_order_by_name(const char *name)
{
	for (size_t i = 0; i < HD_ARRAY_N(orders); i++)
		if (strcmp(orders[i].name, name) == 0 ||
		    strcmp(orders[i].peers, name) == 0)
			return (int)i;
	return -1;
}

int top_order_next(int order, int step)
{
	int n = (int)HD_ARRAY_N(orders);

	return (order + step + n) % n;
}

const char *top_order_names(char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < HD_ARRAY_N(orders) && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, "%s%s",
				      i > 0 ? ", " : "", orders[i].name);
	return buf;
}

void top_sort(struct top_sample *b, int order)
{
	print_sort(b->peers, orders[order].peers);
	print_sort(b->pairs, orders[order].pairs);
}

/* ---- the relay ---- */

static double number(const json_t *o, const char *name)
{
	return json_number_value(json_object_get(o, name));
}

/* Reasons that nothing is dropped for take room only. */
static void put_drops(FILE *out, const struct top_sample *a,
		      const struct top_sample *b)
{
	const json_t *from = json_object_get(a->status, "drops");
	json_t *to = json_object_get(b->status, "drops");
	double all = 0;
	const char *name;
	const json_t *v;

	json_object_foreach (to, name, v)
		all += top_rate(a, b, from, to, name);
	fprintf(out, "drops/s    %.0f", all);
	json_object_foreach (to, name, v) {
		double d = top_rate(a, b, from, to, name);

		if (d > 0)
			fprintf(out, "  %s %.0f", name, d);
	}
	fputc('\n', out);
}

static void put_head(FILE *out, const struct top_sample *a,
		     const struct top_sample *b)
{
	char in[32], to[32];
	char up[PRINT_CELL_BYTES];
	const json_t *s = b->status;

	fprintf(out, "%s  up %s  peers %.0f  streams %.0f  logins/s %.1f\n",
		json_string_value(json_object_get(s, "state")),
		print_cell("uptime_s", json_object_get(s, "uptime_s"), up),
		number(s, "peers"), number(s, "streams"),
		top_rate(a, b, a->status, s, "logins"));
	fprintf(out, "packets/s  in %.0f  out %.0f    bytes/s  in %s  out %s\n",
		top_rate(a, b, a->status, s, "packets_in"),
		top_rate(a, b, a->status, s, "packets_out"),
		print_size(top_rate(a, b, a->status, s, "bytes_in"), in),
		print_size(top_rate(a, b, a->status, s, "bytes_out"), to));
	put_drops(out, a, b);
	fputc('\n', out);
}

/* ---- columns ---- */

static bool anybody_has(const json_t *rows, const char *name)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		const char *s = json_string_value(json_object_get(row, name));

		if (s != NULL && *s != '\0')
			return true;
	}
	return false;
}

/* Without names and tenants where nobody has one: they take room. */
static const char *columns_of(const json_t *rows, const char *all,
			      char buf[COLUMNS_BYTES])
{
	size_t n = 0;

	buf[0] = '\0';
	while (*all != '\0') {
		int len = (int)strcspn(all, " ");
		char name[32];

		snprintf(name, sizeof(name), "%.*s", len, all);
		bool may_miss = strcmp(name, "name") == 0 ||
				strcmp(name, "tenant") == 0;
		if (!may_miss || anybody_has(rows, name))
			n += (size_t)snprintf(buf + n, COLUMNS_BYTES - n,
					      "%s%s", n > 0 ? " " : "", name);
		all += len + (all[len] == ' ');
	}
	return buf;
}

/* ---- all of it ---- */

void top_print(FILE *out, const struct top_sample *a,
	       const struct top_sample *b)
{
	char columns[COLUMNS_BYTES];

	put_head(out, a, b);
	print_answer(out, b->peers,
		     columns_of(b->peers,
				"key name tenant addr proto bytes_in/s "
				"bytes_out/s bytes_in bytes_out queued drops",
				columns));
	if (json_array_size(b->pairs) > 0) {
		fputc('\n', out);
		print_answer(out, b->pairs,
			     "src dst packets/s bytes/s packets bytes");
	}
}

/* Pairs get a half of the rows, or what peers leave of theirs. */
static size_t rows_of_pairs(const struct top_sample *s, size_t rows)
{
	size_t peers = json_array_size(s->peers);
	size_t pairs = json_array_size(s->pairs);

	rows = rows > LINES_OF_PAIRS ? rows - LINES_OF_PAIRS : 0;
	return HD_MIN(pairs, peers < rows / 2 ? rows - peers : rows - rows / 2);
}

static void put_rows(FILE *out, const struct top_sample *s,
		     struct screen_size size)
{
	size_t rows = size.rows > LINES_AROUND ? size.rows - LINES_AROUND : 0;
	size_t pairs = rows_of_pairs(s, rows);
	char columns[COLUMNS_BYTES];

	if (pairs > 0)
		rows -= pairs + LINES_OF_PAIRS;
	print_table_fit(out, s->peers,
			columns_of(s->peers, PEER_COLUMNS, columns),
			size.columns, rows);
	if (pairs == 0)
		return;
	fputc('\n', out);
	print_table_fit(out, s->pairs, PAIR_COLUMNS, size.columns, pairs);
}

/* "q quit  sort: [r rate] i in ...": the one in effect is marked. */
static const char *hint(int order, char *buf, size_t size)
{
	size_t n = (size_t)snprintf(buf, size, "q quit  sort:");

	for (size_t i = 0; i < HD_ARRAY_N(orders) && n < size; i++) {
		bool on = (int)i == order;

		n += (size_t)snprintf(buf + n, size - n, "%s%c %s%s",
				      on ? "[" : " ", orders[i].key,
				      orders[i].name, on ? "]" : " ");
	}
	return buf;
}

void top_draw(const struct top_sample *a, const struct top_sample *b, int order)
{
	char keys[160], *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	if (out == NULL)
		return;
	put_head(out, a, b);
	put_rows(out, b, screen_size());
	if (fclose(out) == 0)
		screen_draw(text, hint(order, keys, sizeof(keys)));
	free(text);
}
