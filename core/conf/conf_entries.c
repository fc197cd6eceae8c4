/* SPDX-License-Identifier: MIT */
/* core/conf/conf_entries.c - a list of mappings becomes an array of structs,
 * each filled from a table of its own; and where a mapping stands. */
#include "core/conf/conf_value.h"
#include <errno.h>
#include <string.h>

/* Whatever HD_ENTRIES_OF() declares. */
struct entries {
	const void *v;
	size_t n;
};

static struct entries entries_at(const void *at)
{
	struct entries e;

	memcpy(&e, at, sizeof(e));
	return e;
}

static bool has_bare(const struct hd_option *table)
{
	while (table->name != NULL && !table->bare)
		table++;
	return table->name != NULL;
}

static bool is_empty(const struct hd_option *table, const struct hd_node *key)
{
	if (hd_node_is_null(key))
		return true;
	while (table->name != NULL && (table->type == HD_OPTION_PLACE ||
				       strcmp(table->name, key->key) != 0))
		table++;
	return table->name != NULL && hd_is_unset(table, key);
}

/* A rule without what it asks for is another rule: it might match all. */
static int check_values(const struct hd_option *opt, const struct hd_node *item,
			struct hd_error *err)
{
	const struct hd_node *i = item->first;

	while (i != NULL && !is_empty(opt->entry, i))
		i = i->next;
	if (i == NULL)
		return 0;
	return hd_node_error(i, err,
			     "`%.64s` has no value in an entry of `%s`; write "
			     "one, or leave the key out",
			     i->key, opt->name);
}

static int check_form(const struct hd_option *opt, const struct hd_node *item,
		      struct hd_error *err)
{
	int r;

	if (item->type == HD_NODE_MAP) {
		r = hd_table_check(opt->entry, item, opt->name, err);
		return r < 0 ? r : check_values(opt, item, err);
	}
	if (item->type == HD_NODE_SCALAR && has_bare(opt->entry))
		return 0;
	return hd_node_error(item, err, "an entry of `%s` must be a mapping%s",
			     opt->name,
			     has_bare(opt->entry) ? " or one value" : "");
}

static int fill_entry(struct hd_conf_private *priv, const struct hd_option *opt,
		      const struct hd_node *item, void *base,
		      struct hd_error *err)
{
	int r = check_form(opt, item, err);

	if (r == 0)
		r = hd_table_fill(priv, opt->entry, item, base, err);
	if (r == 0)
		r = hd_table_required(opt->entry, item, opt->name, err);
	return r;
}

static int fail_list(const struct hd_option *opt, const struct hd_node *node,
		     struct hd_error *err)
{
	const char *any = opt->max == 1	       ? "{key: value}"
			  : has_bare(opt->entry) ? "[first, second]"
						 : "[{key: value}]";

	return hd_node_error(node, err, "`%s` must be a %s, as in `%s: %s`",
			     opt->name, opt->max == 1 ? "mapping" : "list",
			     opt->name,
			     opt->example != NULL ? opt->example : any);
}

/* One entry needs no brackets: a text, or where there can be but one. */
static bool stands_alone(const struct hd_option *opt,
			 const struct hd_node *node)
{
	return node->type == HD_NODE_MAP
		       ? opt->max == 1
		       : node->type == HD_NODE_SCALAR && has_bare(opt->entry);
}

int hd_entries_set(struct hd_conf_private *priv, const struct hd_option *opt,
		   const struct hd_node *node, void *at, struct hd_error *err)
{
	bool one = stands_alone(opt, node);
	struct entries e = { .n = one ? 1 : node->n };
	int r = 0;

	if (node->type != HD_NODE_LIST && !one)
		return fail_list(opt, node, err);
	char *v = hd_arena_alloc(&priv->arena, (e.n + 1) * opt->entry_size);
	if (v == NULL)
		return -ENOMEM;
	e.v = v;
	if (one)
		r = fill_entry(priv, opt, node, v, err);
	for (const struct hd_node *i = one ? NULL : node->first;
	     r == 0 && i != NULL; i = i->next, v += opt->entry_size)
		r = fill_entry(priv, opt, i, v, err);
	if (r == 0)
		memcpy(at, &e, sizeof(e));
	return r;
}

size_t hd_entries_n(const void *at)
{
	return entries_at(at).n;
}

const void *hd_entries_get(const struct hd_option *opt, const void *at,
			   size_t i)
{
	return (const char *)entries_at(at).v + i * opt->entry_size;
}

static bool same_entry(const struct hd_option *o, const void *a, const void *b)
{
	while (o->name != NULL && hd_value_equal(o, a, b))
		o++;
	return o->name == NULL;
}

bool hd_entries_equal(const struct hd_option *opt, const void *a, const void *b)
{
	size_t n = hd_entries_n(a);

	if (n != hd_entries_n(b))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!same_entry(opt->entry, hd_entries_get(opt, a, i),
				hd_entries_get(opt, b, i)))
			return false;
	return true;
}

/* ---- where it stands ---- */

const char hd_default_file[] = "default";

void hd_place_set(const struct hd_option *opt, const struct hd_node *map,
		  void *base)
{
	const struct hd_node *key = hd_node_get(map, opt->name);
	struct hd_place place = { .file = NULL };

	if (key != NULL)
		map = key;
	if (map != NULL && map->file != hd_default_file)
		place = (struct hd_place){ map->file, map->line };
	memcpy((char *)base + opt->offset, &place, sizeof(place));
}
