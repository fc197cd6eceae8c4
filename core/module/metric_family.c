/* SPDX-License-Identifier: MIT */
/* core/module/metric_family.c - families of metrics that modules register, and
 * the memory of their numbers. Context: main thread. */
#include "core/module/metric_family.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/kind.h"
#include "core/base/lines.h"
#include "core/base/metric_table.h"
#include "core/base/module_id.h"
#include "core/loop/worker.h"

/* By the module's index: who reads a listed module's meets no other's, which
 * may be freed meanwhile. */
static struct hd_family *families[HD_MODULES_MAX];

/* ---- what a module asks for ---- */

/* Source: https://prometheus.io/docs/concepts/data_model, label names: no
 * colon, and "__" in front is Prometheus' own. */
static bool is_label(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz"
			     "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");

	return n > 0 && n < HD_FAMILY_NAME_BYTES && s[n] == '\0' &&
	       (s[0] < '0' || s[0] > '9') && strncmp(s, "__", 2) != 0;
}

static unsigned count_labels(const struct hd_family_def *def)
{
	unsigned n = 0;

	while (n <= HD_FAMILY_LABELS && def->labels[n] != NULL)
		n = is_label(def->labels[n]) ? n + 1 : HD_FAMILY_LABELS + 1;
	return n;
}

static int check_def(const struct hd_module *mod,
		     const struct hd_family_def *def, struct hd_error *err)
{
	unsigned n = count_labels(def);
	struct hd_error why = { "" };

	if (!is_label(def->name) || n == 0 || n > HD_FAMILY_LABELS)
		return hd_error_set(err, -EINVAL,
				    "module %s: family \"%s\" of metrics needs "
				    "a name, and 1 to %d labels, of letters, "
				    "digits and underscores, at most %d",
				    mod->name, def->name, HD_FAMILY_LABELS,
				    HD_FAMILY_NAME_BYTES - 1);
	if (def->max == 0 || def->max > HD_FAMILY_SERIES_MAX)
		return hd_error_set(err, -EINVAL,
				    "module %s: family %s of metrics may have "
				    "1 to %d series, not %u",
				    mod->name, def->name, HD_FAMILY_SERIES_MAX,
				    def->max);
	if (hd_metrics_check(def->metrics, def->size, &why) < 0)
		return hd_error_set(err, -EINVAL, "module %s: family %s: %s",
				    mod->name, def->name, why.text);
	return 0;
}

/* ---- memory ---- */

static size_t cell_bytes(const struct hd_family_part *p)
{
	return sizeof(uint64_t) + (size_t)p->size;
}

static void free_part(struct hd_family_part *p)
{
	hd_unmap_pages(p->cells, p->n * cell_bytes(p));
	*p = (struct hd_family_part){ 0 };
}

static void free_family(struct hd_family *f)
{
	for (unsigned i = 0; i < HD_FAMILY_WORKERS; i++)
		free_part(&f->parts[i]);
	hd_series_free(f);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

static int lay_out(const struct hd_family *f, struct hd_family_part *p)
{
	struct hd_family_part old = *p;
	struct hd_family_part new = { .metrics = f->metrics, .size = f->size };

	/* what nobody touches takes no memory */
	new.cells = hd_map_pages(f->n_slots * cell_bytes(&new));
	if (new.cells == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < old.n; i++) {
		uint64_t *from = hd_series_cell(&old, i);

		if (i > 0 && *from == 0)
			continue;
		*hd_series_cell(&new, i) = *from;
		hd_metrics_carry(hd_series_cell(&new, i) + 1, new.metrics,
				 from + 1, old.metrics);
	}
	free_part(p);
	*p = new;
	/* workers that have started before may read them at once */
	__atomic_store_n(&p->n, f->n_slots, __ATOMIC_RELEASE);
	return 0;
}

int hd_families_prepare(const struct hd_module *mod, unsigned worker)
{
	struct hd_family *f = NULL;
	int r = 0;

	while (r == 0 && (f = hd_family_next(f, mod)) != NULL) {
		struct hd_family_part *p = &f->parts[worker];

		if (p->metrics != f->metrics || p->n != f->n_slots)
			r = lay_out(f, p);
	}
	return r;
}

/* ---- registered ---- */

struct hd_family *hd_family_next(const struct hd_family *f,
				 const struct hd_module *mod)
{
	struct hd_family *next = f != NULL ? f->next : families[mod->index];

	while (next != NULL && !__atomic_load_n(&next->shown, __ATOMIC_RELAXED))
		next = next->next;
	return next;
}

static bool is_same(const struct hd_family *f, const struct hd_module *mod,
		    const struct hd_family_def *def)
{
	if (strcmp(f->module, mod->name) != 0 ||
	    strcmp(f->name, def->name) != 0 || f->n_labels != count_labels(def))
		return false;
	for (unsigned i = 0; i < f->n_labels; i++)
		if (strcmp(f->labels[i], def->labels[i]) != 0)
			return false;
	return true;
}

/* What the code of before had: its series and their numbers go on. */
static struct hd_family *find_left(const struct hd_module *mod,
				   const struct hd_family_def *def)
{
	struct hd_family *f = families[mod->index];

	while (f != NULL && (f->shown || !is_same(f, mod, def)))
		f = f->next;
	return f;
}

static struct hd_family *make(const struct hd_module *mod,
			      const struct hd_family_def *def)
{
	struct hd_family *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	snprintf(f->module, sizeof(f->module), "%s", mod->name);
	snprintf(f->name, sizeof(f->name), "%s", def->name);
	f->n_labels = count_labels(def);
	for (unsigned i = 0; i < f->n_labels; i++)
		snprintf(f->labels[i], sizeof(f->labels[i]), "%s",
			 def->labels[i]);
	f->max = def->max;
	pthread_mutex_init(&f->lock, NULL);
	if (hd_series_init(f) < 0) {
		free_family(f);
		return NULL;
	}
	f->next = families[mod->index];
	families[mod->index] = f;
	return f;
}

static bool is_twice(const struct hd_module *mod, const char *name)
{
	struct hd_family *f = NULL;

	while ((f = hd_family_next(f, mod)) != NULL)
		if (strcmp(f->name, name) == 0)
			return true;
	return false;
}

int hd_family_add(struct hd_module *mod, const struct hd_family_def *def,
		  struct hd_family **ret, struct hd_error *err)
{
	int r = check_def(mod, def, err);

	if (r < 0)
		return r;
	if (is_twice(mod, def->name))
		return hd_error_set(err, -EEXIST,
				    "module %s: there are two families %s",
				    mod->name, def->name);
	struct hd_family *f = find_left(mod, def);
	if (f == NULL)
		f = make(mod, def);
	if (f == NULL || hd_series_room(f, def->max) < 0)
		return hd_error_set(err, -ENOMEM,
				    "module %s: no memory for family %s",
				    mod->name, def->name);
	f->metrics = def->metrics;
	f->size = def->size;
	f->shown = true;
	*ret = f;
	return 0;
}

/* ---- a kind ---- */

static void withdraw(const struct hd_module *mod)
{
	struct hd_family *f = NULL;

	while ((f = hd_family_next(NULL, mod)) != NULL)
		__atomic_store_n(&f->shown, false, __ATOMIC_RELAXED);
}

static void reclaim_of(struct hd_family **at)
{
	while (*at != NULL) {
		struct hd_family *f = *at;

		if (f->shown) {
			at = &f->next;
			continue;
		}
		*at = f->next;
		free_family(f);
	}
}

static void reclaim(void)
{
	for (unsigned i = 0; i < HD_MODULES_MAX; i++)
		reclaim_of(&families[i]);
}

/* Whoever had opened series is gone with its state. */
static void end_here(struct hd_worker *w, struct hd_module *mod, bool kept)
{
	struct hd_family *f = NULL;

	while (!kept && w->index == 0 && (f = hd_family_next(f, mod)) != NULL)
		hd_series_end_all(f);
}

const struct hd_kind hd_family_kind = {
	.name = "families of metrics",
	.withdraw = withdraw,
	.reclaim = reclaim,
	.to_the_last = true,
	.end_here = end_here,
};
