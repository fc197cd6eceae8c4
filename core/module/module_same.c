/* SPDX-License-Identifier: MIT */
/* core/module/module_same.c - do the tables of a module's new code say the same
 * as those of its old? */
#include <string.h>
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
