/* SPDX-License-Identifier: MIT */
/* tools/hdctl/top.c - rates, again and again: what two answers differ by. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "tools/hdctl/hdctl.h"

enum { INTERVAL_MS = 1000, ROWS_DEFAULT = 20, ROWS_AROUND = 11 };

struct sample {
	double at_s;
	json_t *status, *peers, *pairs;
};

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void sample_free(struct sample *s)
{
	json_decref(s->status);
	json_decref(s->peers);
	json_decref(s->pairs);
	*s = (struct sample){ 0 };
}

static int take(struct hdctl *h, struct sample *s)
{
	int r = hdctl_ask(h, "status", &s->status);

	s->at_s = now_s();
	if (r == HDCTL_OK)
		r = hdctl_ask(h, "peers", &s->peers);
	return r == HDCTL_OK ? hdctl_ask(h, "pairs", &s->pairs) : r;
}

static double number(const json_t *o, const char *name)
{
	return json_number_value(json_object_get(o, name));
}

static double rate(const struct sample *a, const struct sample *b,
		   const json_t *from, const json_t *to, const char *name)
{
	double s = b->at_s - a->at_s;
	double d = number(to, name) - number(from, name);

	return s > 0 && d > 0 ? d / s : 0; /* a new connection starts at 0 */
}

static const char *text(const json_t *row, const char *name)
{
	return json_string_value(json_object_get(row, name));
}

/* Rows that have the same in both members are the same. */
static json_t *index_of(const json_t *rows, const char *one, const char *two)
{
	json_t *index = json_object(), *row;
	char id[192];
	size_t i;

	json_array_foreach(rows, i, row)
	{
		(void)snprintf(id, sizeof(id), "%s %s", text(row, one),
			       text(row, two));
		json_object_set(index, id, row);
	}
	return index;
}

static const json_t *old_row(const json_t *index, const json_t *row,
			     const char *one, const char *two)
{
	char id[192];

	(void)snprintf(id, sizeof(id), "%s %s", text(row, one), text(row, two));
	return json_object_get(index, id);
}

static void set_rate(json_t *row, const char *name, double v)
{
	json_object_set_new(row, name, json_integer((json_int_t)v));
}

static void rate_peers(const struct sample *a, struct sample *b)
{
	json_t *old = index_of(a->peers, "key", "addr"), *row;
	size_t i;

	json_array_foreach(b->peers, i, row)
	{
		const json_t *was = old_row(old, row, "key", "addr");
		double in = was ? rate(a, b, was, row, "bytes_in") : 0;
		double out = was ? rate(a, b, was, row, "bytes_out") : 0;

		set_rate(row, "bytes_in/s", in);
		set_rate(row, "bytes_out/s", out);
		json_object_set_new(row, "rate", json_real(in + out));
	}
	json_decref(old);
	print_sort(b->peers, "rate");
}

/* A pair that was not there, or whose place another had meanwhile, has been
 * counted since it came. */
static double pair_rate(const struct sample *a, const struct sample *b,
			const json_t *was, const json_t *row, const char *name)
{
	double s = number(row, "seconds");

	if (was != NULL && number(was, "bytes") <= number(row, "bytes") &&
	    number(was, "seconds") <= s)
		return rate(a, b, was, row, name);
	return number(row, name) / (s > 0.1 ? s : 0.1);
}

static void rate_pairs(const struct sample *a, struct sample *b)
{
	json_t *old = index_of(a->pairs, "src", "dst"), *row;
	size_t i;

	json_array_foreach(b->pairs, i, row)
	{
		const json_t *was = old_row(old, row, "src", "dst");
		double bytes = pair_rate(a, b, was, row, "bytes");

		set_rate(row, "packets/s",
			 pair_rate(a, b, was, row, "packets"));
		set_rate(row, "bytes/s", bytes);
		json_object_set_new(row, "rate", json_real(bytes));
	}
	json_decref(old);
	print_sort(b->pairs, "rate");
}

static void put_drops(const struct sample *a, const struct sample *b)
{
	const json_t *from = json_object_get(a->status, "drops");
	json_t *to = json_object_get(b->status, "drops");
	const char *name;
	const json_t *v;

	fputs("drops/s ", stdout);
	json_object_foreach (to, name, v)
		printf("  %s %.0f", name, rate(a, b, from, to, name));
	putchar('\n');
}

static void put_head(const struct sample *a, const struct sample *b)
{
	char in[32], out[32];
	char up[PRINT_CELL_BYTES];
	const json_t *s = b->status;

	printf("%s  up %s  peers %.0f  streams %.0f\n",
	       json_string_value(json_object_get(s, "state")),
	       print_cell("uptime_s", json_object_get(s, "uptime_s"), up),
	       number(s, "peers"), number(s, "streams"));
	printf("packets/s  in %.0f  out %.0f    bytes/s  in %s  out %s    "
	       "logins/s %.1f\n",
	       rate(a, b, a->status, s, "packets_in"),
	       rate(a, b, a->status, s, "packets_out"),
	       print_size(rate(a, b, a->status, s, "bytes_in"), in),
	       print_size(rate(a, b, a->status, s, "bytes_out"), out),
	       rate(a, b, a->status, s, "logins"));
	put_drops(a, b);
	putchar('\n');
}

static size_t rows_that_fit(bool once)
{
	struct winsize ws = { .ws_row = 0 };

	if (once)
		return SIZE_MAX;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) < 0 ||
	    ws.ws_row <= ROWS_AROUND)
		return ROWS_DEFAULT;
	return ws.ws_row - ROWS_AROUND;
}

/* Pairs get a half of the rows, or what peers leave of theirs. */
static void fit(struct sample *s, size_t rows)
{
	size_t peers = json_array_size(s->peers);
	size_t pairs = json_array_size(s->pairs);
	size_t most = peers < rows / 2 ? rows - peers : rows - rows / 2;

	while (pairs > most)
		json_array_remove(s->pairs, --pairs);
	while (peers > rows - pairs)
		json_array_remove(s->peers, --peers);
}

static void put_json(const struct sample *s)
{
	json_t *all = json_pack("{s:O,s:O,s:O}", "status", s->status, "peers",
				s->peers, "pairs", s->pairs);

	json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
	putchar('\n');
	fflush(stdout);
	json_decref(all);
}

static void put(const struct hdctl *h, const struct sample *a, struct sample *b,
		bool once)
{
	rate_peers(a, b);
	rate_pairs(a, b);
	if (h->json) {
		put_json(b);
		return;
	}
	if (!once)
		fputs("\033[H\033[2J", stdout);
	fit(b, rows_that_fit(once));
	put_head(a, b);
	print_answer(stdout, b->peers,
		     "key addr proto bytes_in/s bytes_out/s bytes_in bytes_out "
		     "queued drops");
	if (json_array_size(b->pairs) > 0) {
		putchar('\n');
		print_answer(stdout, b->pairs,
			     "src dst packets/s bytes/s packets bytes");
	}
	fflush(stdout);
}

/* Whether the person has pressed Enter meanwhile. */
static bool pause_ms(int ms, bool once)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&p, once || !isatty(STDIN_FILENO) ? 0 : 1, ms) > 0;
}

int run_top(struct hdctl *h, const char *const *words, size_t n)
{
	bool once = n == 1 && strcmp(words[0], "-1") == 0;
	struct sample last = { 0 }, now = { 0 };
	int r;

	if (n > 0 && !once)
		return hdctl_fail(HDCTL_USAGE, "top [-1]: -1 prints once");
	r = take(h, &last);
	while (r == HDCTL_OK && !pause_ms(INTERVAL_MS, once)) {
		r = take(h, &now);
		if (r != HDCTL_OK)
			break;
		put(h, &last, &now, once);
		sample_free(&last);
		last = now;
		now = (struct sample){ 0 };
		if (once)
			break;
	}
	sample_free(&last);
	sample_free(&now);
	return r;
}
