/* SPDX-License-Identifier: MIT */
/* tools/hdctl/top.c - rates, again and again: what two answers differ by. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "tools/hdctl/hdctl.h"

enum { INTERVAL_MS = 1000, ROWS_DEFAULT = 20, ROWS_AROUND = 8 };

struct sample {
	double at_s;
	json_t *status, *peers;
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
	*s = (struct sample){ 0 };
}

static int take(struct hdctl *h, struct sample *s)
{
	int r = hdctl_ask(h, "status", &s->status);

	s->at_s = now_s();
	return r == HDCTL_OK ? hdctl_ask(h, "peers", &s->peers) : r;
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

/* Each peer gets its rates; those of the same key and address are the same. */
static void add_rates(const struct sample *a, struct sample *b)
{
	json_t *old = json_object(), *row;
	char id[128];
	size_t i;

	json_array_foreach(a->peers, i, row)
	{
		(void)snprintf(id, sizeof(id), "%s %s",
			       json_string_value(json_object_get(row, "key")),
			       json_string_value(json_object_get(row, "addr")));
		json_object_set(old, id, row);
	}
	json_array_foreach(b->peers, i, row)
	{
		(void)snprintf(id, sizeof(id), "%s %s",
			       json_string_value(json_object_get(row, "key")),
			       json_string_value(json_object_get(row, "addr")));
		const json_t *was = json_object_get(old, id);
		double in = was ? rate(a, b, was, row, "bytes_in") : 0;
		double out = was ? rate(a, b, was, row, "bytes_out") : 0;

		json_object_set_new(row, "bytes_in/s",
				    json_integer((json_int_t)in));
		json_object_set_new(row, "bytes_out/s",
				    json_integer((json_int_t)out));
		json_object_set_new(row, "rate", json_real(in + out));
	}
	json_decref(old);
	print_sort(b->peers, "rate");
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

static void put(const struct hdctl *h, const struct sample *a, struct sample *b,
		bool once)
{
	size_t max = rows_that_fit(once);

	add_rates(a, b);
	if (h->json) {
		json_t *all = json_pack("{s:O,s:O}", "status", b->status,
					"peers", b->peers);

		json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
		putchar('\n');
		json_decref(all);
		return;
	}
	if (!once)
		fputs("\033[H\033[2J", stdout);
	while (json_array_size(b->peers) > max)
		json_array_remove(b->peers, json_array_size(b->peers) - 1);
	put_head(a, b);
	print_answer(stdout, b->peers,
		     "key addr proto bytes_in/s bytes_out/s bytes_in bytes_out "
		     "queued drops");
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
