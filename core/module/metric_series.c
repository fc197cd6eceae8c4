/* SPDX-License-Identifier: MIT */
/* core/module/metric_series.c - series of a family: begun, counted in, ended.
 * Context: any thread; counting in a worker. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/utf8.h"
#include "core/loop/worker.h"
#include "core/module/metric_family.h"

/* ---- labels ---- */

/* A byte that is not UTF-8 becomes '?'. Source: Prometheus' text format 0.0.4,
 * OpenMetrics 1.0 (escaped-string): backslash, quote and newline. */
static char *put_value(char *to, const char *value)
{
	size_t n = strnlen(value, HD_FAMILY_VALUE_BYTES), good = 0;

	/* no half a character at the end */
	if (n == HD_FAMILY_VALUE_BYTES)
		while (n > 0 && ((unsigned char)value[n] & 0xc0) == 0x80)
			n--;
	for (size_t i = 0; i < n; i++) {
		if (i >= good)
			good = i + hd_utf8_prefix(value + i, n - i);
		char c = i < good ? value[i] : '?';

		if (c == '\\' || c == '"' || c == '\n')
			*to++ = '\\';
		*to++ = c == '\n' ? 'n' : c;
	}
	return to;
}

void hd_family_text(const struct hd_family *f, const char *const *values,
		    char text[static HD_FAMILY_TEXT_BYTES])
{
	char *to = text;

	for (unsigned i = 0; i < f->n_labels; i++) {
		to += sprintf(to, "%s%s=\"", i > 0 ? "," : "", f->labels[i]);
		to = put_value(to, values != NULL ? values[i] : "other");
		*to++ = '"';
	}
	*to = '\0';
}

/* ---- slots; the lock is held ---- */

static int by_text(const void *a, const void *b)
{
	const struct hd_series_slot *x = a, *y = b;

	return strcmp(x->text, y->text);
}

static struct hd_series_slot *find(const struct hd_family *f, char *text)
{
	const struct hd_series_slot key = { .text = text };
	void *node = tfind(&key, &f->by_text, by_text);

	return node != NULL ? *(struct hd_series_slot **)node : NULL;
}

/* Returns whether it is there now. */
static bool name_slot(struct hd_family *f, struct hd_series_slot *s,
		      const char *text)
{
	s->text = strdup(text);
	if (s->text != NULL && tsearch(s, &f->by_text, by_text) != NULL)
		return true;
	free(s->text);
	s->text = NULL;
	return false;
}

static struct hd_series_slot *add(struct hd_family *f, const char *text)
{
	struct hd_series_slot *s = calloc(1, sizeof(*s));

	if (s == NULL || !name_slot(f, s, text)) {
		free(s);
		return NULL;
	}
	s->slot = f->n_used;
	f->series[f->n_used++] = s;
	return s;
}

static struct hd_series_slot *ended_first(const struct hd_family *f)
{
	struct hd_series_slot *first = NULL;

	for (uint32_t i = 1; i < f->n_used; i++) {
		struct hd_series_slot *s = f->series[i];

		if (s->refs == 0 && (first == NULL || s->ended < first->ended))
			first = s;
	}
	return first;
}

static void drop_name(struct hd_family *f, struct hd_series_slot *s)
{
	if (s->text == NULL)
		return;
	tdelete(s, &f->by_text, by_text);
	free(s->text);
	s->text = NULL;
}

static struct hd_series_slot *reuse(struct hd_family *f, const char *text)
{
	struct hd_series_slot *s = f->n_ended > 0 ? ended_first(f) : NULL;

	if (s == NULL)
		return NULL;
	drop_name(f, s);
	return name_slot(f, s, text) ? s : NULL;
}

/* For a label set that has no slot. NULL: there is no room. */
static struct hd_series_slot *take(struct hd_family *f, const char *text)
{
	static uint64_t gens;
	bool in_use = f->n_used - 1 - f->n_ended >= f->max, fresh;
	struct hd_series_slot *s = NULL;

	fresh = !in_use && f->n_used <= f->max;
	if (!in_use)
		s = fresh ? add(f, text) : reuse(f, text);
	if (s == NULL)
		return NULL;
	/* never again the same in this process: an old handle meets no other */
	s->gen = __atomic_add_fetch(&gens, 1, __ATOMIC_RELAXED);
	f->n_ended -= !fresh;
	return s;
}

/* ---- the family's ---- */

int hd_series_init(struct hd_family *f)
{
	char text[HD_FAMILY_TEXT_BYTES];
	int r = hd_series_room(f, f->max);

	hd_family_text(f, NULL, text);
	if (r == 0 && add(f, text) == NULL)
		return -ENOMEM;
	return r;
}

int hd_series_room(struct hd_family *f, uint32_t max)
{
	uint32_t n = HD_MAX(f->n_slots, max + 1);

	pthread_mutex_lock(&f->lock);
	struct hd_series_slot **v = realloc(f->series, n * sizeof(*v));
	if (v != NULL) {
		f->series = v;
		f->n_slots = n;
		f->max = max;
	}
	pthread_mutex_unlock(&f->lock);
	return v != NULL ? 0 : -ENOMEM;
}

void hd_series_free(struct hd_family *f)
{
	for (uint32_t i = 0; i < f->n_used; i++) {
		drop_name(f, f->series[i]);
		free(f->series[i]);
	}
	free(f->series);
}

static void end_one(struct hd_family *f, struct hd_series_slot *s)
{
	s->refs = 0;
	s->ended = ++f->ends;
	f->n_ended++;
}

void hd_series_end_all(struct hd_family *f)
{
	pthread_mutex_lock(&f->lock);
	for (uint32_t i = 1; i < f->n_used; i++)
		if (f->series[i]->refs > 0)
			end_one(f, f->series[i]);
	pthread_mutex_unlock(&f->lock);
}

/* ---- the module's ---- */

struct hd_series hd_series_open(struct hd_family *f, const char *const *values)
{
	char text[HD_FAMILY_TEXT_BYTES];
	struct hd_series series = { 0 };
	bool say = false;

	hd_family_text(f, values, text);
	pthread_mutex_lock(&f->lock);
	struct hd_series_slot *s = find(f, text);
	if (s == NULL)
		s = take(f, text);
	else if (s->slot > 0 && s->refs == 0)
		f->n_ended--;
	if (s == NULL) {
		f->refused++;
		say = !f->said;
		f->said = true;
	} else if (s->slot > 0) {
		s->refs++;
		series = (struct hd_series){ s->gen, s->slot };
	}
	pthread_mutex_unlock(&f->lock);
	if (say)
		hd_log_write(HD_LOG_WARN,
			     "module %s: %s has %u series in use, the most "
			     "there can be; what else comes counts as "
			     "\"other\" and in "
			     "hyper_derp_series_refused_total",
			     f->module, f->name, f->max);
	return series;
}

void hd_series_end(struct hd_family *f, struct hd_series *series)
{
	pthread_mutex_lock(&f->lock);
	if (series->slot > 0 && series->slot < f->n_used) {
		struct hd_series_slot *s = f->series[series->slot];

		if (s->gen == series->gen && s->refs > 0 && --s->refs == 0)
			end_one(f, s);
	}
	pthread_mutex_unlock(&f->lock);
	*series = (struct hd_series){ 0 };
}

void *hd_series_numbers(struct hd_family *f, struct hd_worker *w,
			struct hd_series series)
{
	const struct hd_family_part *p = &f->parts[w->index];

	if (series.slot >= p->n)
		return hd_series_cell(p, 0) + 1;
	uint64_t *cell = hd_series_cell(p, series.slot);

	if (*cell == series.gen)
		return cell + 1;
	if (*cell > series.gen) /* it ended, and another has its slot */
		return hd_series_cell(p, 0) + 1;
	memset(cell + 1, 0, p->size);
	__atomic_store_n(cell, series.gen, __ATOMIC_RELEASE);
	return cell + 1;
}

/* ---- another process's ---- */

const void *hd_series_has(const struct hd_family *f,
			  const struct hd_series_slot *s, unsigned worker)
{
	const struct hd_family_part *p = &f->parts[worker];

	if (s->slot >= p->n || *hd_series_cell(p, s->slot) != s->gen)
		return NULL;
	return hd_series_cell(p, s->slot) + 1;
}

struct hd_series hd_series_take(struct hd_family *f, const char *text)
{
	struct hd_series series = { 0 };

	pthread_mutex_lock(&f->lock);
	struct hd_series_slot *s = find(f, (char *)text);

	if (s == NULL) {
		s = take(f, text);
		if (s != NULL)
			end_one(f, s);
	}
	if (s != NULL && s->slot > 0)
		series = (struct hd_series){ s->gen, s->slot };
	pthread_mutex_unlock(&f->lock);
	return series;
}
