/* SPDX-License-Identifier: MIT */
/* tools/hdctl/top.c - rates, again and again: what two answers differ by. */
#include "tools/hdctl/top.h"

#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/hdctl/clean.h"
#include "tools/hdctl/hdctl.h"
#include "tools/hdctl/interrupt.h"
#include "tools/hdctl/screen.h"

enum { INTERVAL_MS = 1000 };

struct top {
	struct hdctl *h;
	struct top_sample last, now; /* now is NULLs until there are rates */
	int order;
	bool once;
};

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void sample_free(struct top_sample *s)
{
	json_decref(s->status);
	json_decref(s->peers);
	json_decref(s->pairs);
	*s = (struct top_sample){ 0 };
}

/* Says nothing: the screen has to be given back first. */
static int take(struct hdctl *h, struct top_sample *s, struct hd_error *err)
{
	int r = ask_words(&h->ask, "status", &s->status, err);

	s->at_s = now_s();
	if (r == HDCTL_OK)
		r = ask_words(&h->ask, "peers", &s->peers, err);
	return r == HDCTL_OK ? ask_words(&h->ask, "pairs", &s->pairs, err) : r;
}

/* ---- rates ---- */

static double number(const json_t *o, const char *name)
{
	return json_number_value(json_object_get(o, name));
}

double top_rate(const struct top_sample *a, const struct top_sample *b,
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

static void rate_peers(const struct top_sample *a, struct top_sample *b)
{
	json_t *old = index_of(a->peers, "key", "addr"), *row;
	size_t i;

	json_array_foreach(b->peers, i, row)
	{
		const json_t *was = old_row(old, row, "key", "addr");
		double in = was ? top_rate(a, b, was, row, "bytes_in") : 0;
		double out = was ? top_rate(a, b, was, row, "bytes_out") : 0;

		set_rate(row, "bytes_in/s", in);
		set_rate(row, "bytes_out/s", out);
		json_object_set_new(row, "rate", json_real(in + out));
	}
	json_decref(old);
}

/* A pair that was not there, or whose place another had meanwhile, has been
 * counted since it came. */
static double pair_rate(const struct top_sample *a, const struct top_sample *b,
			const json_t *was, const json_t *row, const char *name)
{
	double s = number(row, "seconds");

	if (was != NULL && number(was, "bytes") <= number(row, "bytes") &&
	    number(was, "seconds") <= s)
		return top_rate(a, b, was, row, name);
	return number(row, name) / (s > 0.1 ? s : 0.1);
}

static void rate_pairs(const struct top_sample *a, struct top_sample *b)
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
}

/* One more look: now becomes last. */
static int look(struct top *t, struct hd_error *err)
{
	struct top_sample next = { 0 };
	int r = take(t->h, &next, err);

	if (r == HDCTL_NO_DAEMON && !interrupt_came()) {
		/* the relay may be another process by now */
		struct hd_error unused;

		sample_free(&next);
		if (ask_again(&t->h->ask, &unused) == HDCTL_OK)
			r = take(t->h, &next, err);
	}
	if (r != HDCTL_OK) {
		sample_free(&next);
		return r;
	}
	if (t->now.status != NULL) {
		sample_free(&t->last);
		t->last = t->now;
	}
	t->now = next;
	rate_peers(&t->last, &t->now);
	rate_pairs(&t->last, &t->now);
	top_sort(&t->now, t->order);
	return r;
}

/* ---- lines, for programs and files ---- */

static void put_json(const struct top_sample *s)
{
	json_t *all = json_pack("{s:O,s:O,s:O}", "status", s->status, "peers",
				s->peers, "pairs", s->pairs);

	clean_json(stdout, all, JSON_COMPACT);
	json_decref(all);
}

/* Whether the person has pressed Enter, or Ctrl-C in the shell. */
static bool pause_ms(const struct top *t)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	bool listens = !t->once && isatty(STDIN_FILENO);

	return poll(&p, listens ? 1 : 0, INTERVAL_MS) > 0 || interrupt_came();
}

static int run_lines(struct top *t, struct hd_error *err)
{
	int r = HDCTL_OK;

	while (r == HDCTL_OK && !pause_ms(t)) {
		r = look(t, err);
		if (r != HDCTL_OK)
			break;
		if (t->h->json)
			put_json(&t->now);
		else
			top_print(stdout, &t->last, &t->now);
		if (fflush(stdout) != 0 || t->once)
			break;
	}
	return r;
}

/* ---- the screen, for people ---- */

/* Returns false: it is the end. */
static bool act(struct top *t, int key)
{
	int order = top_order_by_key(key);

	if (key == SCREEN_RIGHT || key == SCREEN_LEFT)
		order = top_order_next(t->order, key == SCREEN_RIGHT ? 1 : -1);
	if (order >= 0) {
		t->order = order;
		if (t->now.status != NULL)
			top_sort(&t->now, order);
	}
	return key != 'q' && key != 'Q' && key != SCREEN_END;
}

static int screen_turns(struct top *t, struct hd_error *err)
{
	double due = now_s() + INTERVAL_MS / 1e3;
	int r = HDCTL_OK;

	for (;;) {
		double left = due - now_s();
		int key = screen_wait(left > 0 ? (int)(left * 1e3) + 1 : 0,
				      t->h->ask.fd);

		if (interrupt_came() || !act(t, key))
			return HDCTL_OK;
		if (now_s() >= due) {
			r = look(t, err);
			due = now_s() + INTERVAL_MS / 1e3;
		}
		if (r != HDCTL_OK)
			return r;
		top_draw(&t->last, t->now.status != NULL ? &t->now : &t->last,
			 t->order);
	}
}

static int run_screen(struct top *t, struct hd_error *err)
{
	int r;

	if (!t->h->shell) /* else the shell has */
		interrupt_begin(&t->h->ask);
	screen_open();
	top_sort(&t->last, t->order);
	top_draw(&t->last, &t->last, t->order);
	r = screen_turns(t, err);
	if (interrupt_came())
		r = HDCTL_OK;
	screen_close();
	if (!t->h->shell)
		interrupt_end();
	return r;
}

static int read_wish(struct top *t, const char *const *words, size_t n)
{
	char names[200];

	t->once = n == 1 && strcmp(words[0], "-1") == 0;
	if (n > 0 && !t->once)
		return hdctl_fail(HDCTL_USAGE, "top [-1]: -1 prints once");
	t->order = t->h->sort != NULL ? top_order_by_name(t->h->sort) :
					TOP_RATE;
	if (t->order < 0)
		return hdctl_fail(HDCTL_USAGE,
				  "top --sort %s: there are %s", t->h->sort,
				  top_order_names(names, sizeof(names)));
	return HDCTL_OK;
}

int run_top(struct hdctl *h, const char *const *words, size_t n)
{
	struct top t = { .h = h };
	struct hd_error err = { "" };
	int r = read_wish(&t, words, n);

	if (r == HDCTL_OK)
		r = hdctl_connect(h);
	if (r != HDCTL_OK)
		return r;
	r = take(h, &t.last, &err);
	if (r == HDCTL_OK)
		r = h->json || t.once || !screen_there() ?
			    run_lines(&t, &err) :
			    run_screen(&t, &err);
	sample_free(&t.last);
	sample_free(&t.now);
	if (r == HDCTL_NO_DAEMON)
		ask_close(&h->ask);
	return r == HDCTL_OK ? r : hdctl_fail(r, "%s", err.text);
}
