/* SPDX-License-Identifier: MIT */
/* core/conf/conf_table.c - a mapping of the file against a table of options. */
#include "core/conf/conf_value.h"
#include <errno.h>
#include <string.h>

int hd_table_fill(struct hd_conf_private *priv, const struct hd_option *table,
		  const struct hd_node *map, void *base, struct hd_error *err)
{
	int r = 0;

	for (; r == 0 && table->name != NULL; table++)
		if (table->type == HD_OPTION_PLACE)
			hd_place_set(table, map, base);
		else
			r = hd_value_set(priv, table, hd_row_node(table, map),
					 base, err);
	return r == -ENOMEM ? hd_error_set(err, r, "out of memory") : r;
}

const struct hd_node *hd_row_node(const struct hd_option *opt,
				  const struct hd_node *map)
{
	if (map != NULL && map->type == HD_NODE_SCALAR)
		return opt->bare && !hd_node_is_null(map) ? map : NULL;
	return hd_node_get(map, opt->name);
}

static bool is_missing(const struct hd_option *opt, const struct hd_node *map)
{
	return opt->required && hd_is_unset(opt, hd_row_node(opt, map));
}

int hd_table_required(const struct hd_option *table, const struct hd_node *map,
		      const char *list, struct hd_error *err)
{
	while (table->name != NULL && !is_missing(table, map))
		table++;
	if (table->name == NULL)
		return 0;
	return hd_node_error(map, err, "an entry of `%s` needs `%s`", list,
			     table->name);
}

/* "a, b, c", as many as fit. */
static const char *name_list(const char *const *names, size_t n, char *buf,
			     size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < n && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s%s",
					i == 0 ? "" : ", ", names[i]);
	return buf;
}

/* A mapping may be the section of a module that is somewhere else. */
static int fail_top(const struct hd_node *node, struct hd_error *err)
{
	return hd_node_error(node, err,
			     "unknown key `%.64s`; hyper-derp.yaml(5) lists "
			     "them all%s",
			     node->key,
			     node->type != HD_NODE_MAP
				     ? ""
				     : "; for the section of a module, put its "
				       "path into load_module or its folder "
				       "into module_path");
}

int hd_unknown_key(const struct hd_node *node, const char *section,
		   const char *const *names, size_t n, struct hd_error *err)
{
	const char *nearest = hd_near(node->key, names, n);
	char in[64] = "", all[256];

	if (section != NULL)
		snprintf(in, sizeof(in), " in `%s`", section);
	if (nearest != NULL)
		return hd_node_error(node, err,
				     "unknown key `%.64s`%s; did you mean "
				     "`%s`?",
				     node->key, in, nearest);
	if (section == NULL)
		return fail_top(node, err);
	return hd_node_error(node, err, "unknown key `%.64s`%s; known: %s",
			     node->key, in,
			     name_list(names, n, all, sizeof(all)));
}

int hd_not_map(const struct hd_node *node, const char *section,
	       struct hd_error *err)
{
	return hd_node_error(node, err,
			     "`%s` must be a mapping, as in "
			     "`%s: {key: value}`",
			     section, section);
}

static bool table_has(const struct hd_option *table, const char *name)
{
	while (table->name != NULL && (table->type == HD_OPTION_PLACE ||
				       strcmp(table->name, name) != 0))
		table++;
	return table->name != NULL;
}

#define NAMES_MAX 128 /* to choose the nearest from */

int hd_table_check(const struct hd_option *table, const struct hd_node *map,
		   const char *section, struct hd_error *err)
{
	const char *names[NAMES_MAX];
	const struct hd_node *i = map->first;
	size_t n = 0;

	while (i != NULL && table_has(table, i->key))
		i = i->next;
	if (i == NULL)
		return 0;
	for (; table->name != NULL && n < NAMES_MAX; table++)
		if (table->type != HD_OPTION_PLACE)
			names[n++] = table->name;
	return hd_unknown_key(i, section, names, n, err);
}
