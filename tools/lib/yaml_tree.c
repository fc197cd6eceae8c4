/* SPDX-License-Identifier: MIT */
/* tools/lib/yaml_tree.c - YAML to a tree of JSON, by libyaml. */
#include "tools/lib/yaml_tree.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

/* Aliases make much of a few bytes: what is counted is the tree. */
enum { DEPTH_MAX = 64, NODES_MAX = 200000 };

struct source {
	yaml_document_t doc;
	unsigned nodes;
};

static json_t *tree_of(struct source *from, const yaml_node_t *node,
		       unsigned depth);

static const yaml_node_t *node_at(struct source *from, int i)
{
	return yaml_document_get_node(&from->doc, i);
}

static json_t *scalar_of(const yaml_node_t *node)
{
	const char *text = (const char *)node->data.scalar.value;
	size_t n = node->data.scalar.length;

	if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	    (n == 0 || strcmp(text, "~") == 0 || strcmp(text, "null") == 0))
		return json_null();
	return json_stringn(text, n);
}

static json_t *list_of(struct source *from, const yaml_node_t *node,
		       unsigned depth)
{
	json_t *list = json_array();

	for (yaml_node_item_t *i = node->data.sequence.items.start;
	     i < node->data.sequence.items.top; i++)
		json_array_append_new(list,
				      tree_of(from, node_at(from, *i), depth));
	return list;
}

static json_t *map_of(struct source *from, const yaml_node_t *node,
		      unsigned depth)
{
	json_t *map = json_object();

	for (yaml_node_pair_t *p = node->data.mapping.pairs.start;
	     p < node->data.mapping.pairs.top; p++) {
		const yaml_node_t *key = node_at(from, p->key);

		if (key->type == YAML_SCALAR_NODE)
			json_object_set_new(
				map, (const char *)key->data.scalar.value,
				tree_of(from, node_at(from, p->value),
					depth));
	}
	return map;
}

static json_t *tree_of(struct source *from, const yaml_node_t *node,
		       unsigned depth)
{
	if (node == NULL || depth == DEPTH_MAX || ++from->nodes > NODES_MAX)
		return json_null();
	switch (node->type) {
	case YAML_SCALAR_NODE:
		return scalar_of(node);
	case YAML_SEQUENCE_NODE:
		return list_of(from, node, depth + 1);
	case YAML_MAPPING_NODE:
		return map_of(from, node, depth + 1);
	default:
		return json_null();
	}
}

static json_t *too_large(json_t *tree, const char *name, struct hd_error *err)
{
	json_decref(tree);
	hd_error_set(err, -EINVAL, "%s: more than %d values", name, NODES_MAX);
	return NULL;
}

json_t *yaml_tree_parse(const char *text, size_t n, const char *name,
			struct hd_error *err)
{
	yaml_parser_t parser;
	struct source from = { .nodes = 0 };
	json_t *tree = NULL;

	if (!yaml_parser_initialize(&parser))
		return NULL;
	yaml_parser_set_input_string(&parser, (const yaml_char_t *)text, n);
	if (!yaml_parser_load(&parser, &from.doc)) {
		hd_error_set(err, -EINVAL, "%s:%zu: %s", name,
			     parser.problem_mark.line + 1,
			     parser.problem != NULL ? parser.problem
						    : "this is not YAML");
	} else {
		tree = tree_of(&from, node_at(&from, 1), 0); /* the root */
		yaml_document_delete(&from.doc);
		if (from.nodes > NODES_MAX)
			tree = too_large(tree, name, err);
		else if (!json_is_object(tree) && !json_is_null(tree))
			hd_error_set(err, -EINVAL, "%s: no configuration: it "
				     "has no keys", name);
	}
	yaml_parser_delete(&parser);
	if (json_is_null(tree)) /* an empty file */
		return json_object();
	if (tree != NULL && !json_is_object(tree)) {
		json_decref(tree);
		return NULL;
	}
	return tree;
}

/* ---- what is in it ---- */

json_t *tree_get(const json_t *tree, const char *path)
{
	char key[64];
	size_t n = strcspn(path, ".");
	json_t *child;

	if (n >= sizeof(key))
		return NULL;
	memcpy(key, path, n);
	key[n] = '\0';
	child = json_object_get(tree, key);
	if (path[n] == '\0' || child == NULL)
		return json_is_null(child) ? NULL : child;
	return tree_get(child, path + n + 1);
}

const char *tree_text(const json_t *tree, const char *path, const char *def)
{
	const char *text = json_string_value(tree_get(tree, path));

	return text != NULL ? text : def;
}

bool tree_is(const json_t *tree, const char *path)
{
	const char *text = tree_text(tree, path, "");

	return strcasecmp(text, "true") == 0 || strcasecmp(text, "yes") == 0 ||
	       strcasecmp(text, "on") == 0;
}
