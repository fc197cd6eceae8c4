/* SPDX-License-Identifier: MIT */
/* core/module/module_same.c - do the tables of a module's new code say the same
 * as those of its old? */
#include <stdlib.h>
#include <string.h>
#include "core/base/metric_table.h"
#include "core/conf/conf_value.h"
#include "core/module/module_live.h"

static bool same_choices(const char *const *a, const char *const *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	while (*a != NULL && *b != NULL && strcmp(*a, *b) == 0)
		a++, b++;
	return *a == NULL && *b == NULL;
}

static bool same_option(const struct hd_option *a, const struct hd_option *b)
{
	return strcmp(a->name, b->name) == 0 && a->type == b->type &&
	       a->offset == b->offset && hd_same_text(a->def, b->def) &&
	       a->min == b->min && a->max == b->max &&
	       a->required == b->required && a->bare == b->bare &&
	       a->entry_size == b->entry_size &&
	       same_choices(a->choices, b->choices) &&
	       hd_options_same(a->entry, b->entry);
}

bool hd_options_same(const struct hd_option *a, const struct hd_option *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	while (a->name != NULL && b->name != NULL && same_option(a, b))
		a++, b++;
	return a->name == NULL && b->name == NULL;
}

static bool same_metric(const struct hd_metric *a, const struct hd_metric *b)
{
	return strcmp(a->name, b->name) == 0 &&
	       hd_same_text(a->labels, b->labels) && a->kind == b->kind;
}

uint64_t *hd_metrics_carry(const uint64_t *v, const struct hd_metric *from,
			   const struct hd_metric *to)
{
	size_t n_from = hd_metrics_rows(from), n_to = hd_metrics_rows(to);
	uint64_t *all = calloc(hd_metrics_size(to) + 1, sizeof(*all));

	if (all != NULL)
		hd_metrics_init(all, to);
	for (size_t i = 0; all != NULL && i < n_to; i++)
		for (size_t k = 0; v != NULL && k < n_from; k++)
			if (same_metric(&to[i], &from[k]))
				hd_metrics_copy(all, to, i, v, k);
	return all;
}
