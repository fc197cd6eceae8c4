/* SPDX-License-Identifier: MIT */
/* tools/hdctl/yaml_read.c - a file and those it includes, for when the relay
 * itself does not take them: core/conf/conf_merge.c says how they add up. */
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hdctl/file_arg.h"
#include "tools/hdctl/yaml_tree.h"

enum { INCLUDE_DEPTH_MAX = 8, PATH_BYTES = 4096 };

static json_t *read_file(const char *path, unsigned depth,
			 struct hd_error *err);

/* The first scalar of a key stays, lists get longer. */
static void add_map(json_t *into, json_t *from)
{
	const char *key;
	json_t *value;

	json_object_foreach (from, key, value) {
		json_t *old = json_object_get(into, key);

		if (old == NULL || json_is_null(old))
			json_object_set(into, key, value);
		else if (json_is_array(old) && json_is_array(value))
			json_array_extend(old, value);
		else if (json_is_object(old) && json_is_object(value))
			add_map(old, value);
	}
}

/* One that cannot be read is left out: -t says so. */
static void add_found(json_t *into, const glob_t *found, unsigned depth)
{
	struct hd_error err;

	for (size_t i = 0; i < found->gl_pathc; i++) {
		json_t *more = read_file(found->gl_pathv[i], depth + 1, &err);

		if (more != NULL)
			add_map(into, more);
		json_decref(more);
	}
}

static void add_pattern(json_t *into, const char *path, const char *text,
			unsigned depth)
{
	const char *slash = strrchr(path, '/');
	char pattern[PATH_BYTES];
	glob_t found = { 0 };

	if (text[0] == '/' || slash == NULL)
		(void)snprintf(pattern, sizeof(pattern), "%s", text);
	else
		(void)snprintf(pattern, sizeof(pattern), "%.*s/%s",
			       (int)(slash - path), path, text);
	if (glob(pattern, 0, NULL, &found) == 0)
		add_found(into, &found, depth);
	globfree(&found);
}

static void add_includes(json_t *tree, const char *path, unsigned depth)
{
	json_t *include = json_incref(json_object_get(tree, "include"));
	const json_t *item;
	size_t i;

	json_object_del(tree, "include");
	if (include == NULL && depth == 0)
		add_pattern(tree, path, "modules-enabled/*.yaml", depth);
	else if (json_is_string(include))
		add_pattern(tree, path, json_string_value(include), depth);
	json_array_foreach(include, i, item)
		if (json_is_string(item))
			add_pattern(tree, path, json_string_value(item),
				    depth);
	json_decref(include);
}

static json_t *read_file(const char *path, unsigned depth,
			 struct hd_error *err)
{
	char *text = NULL;
	json_t *tree;

	if (depth > INCLUDE_DEPTH_MAX) {
		hd_error_set(err, -ELOOP, "%s: includes nested too deeply",
			     path);
		return NULL;
	}
	if (file_arg_read(path, &text, err) != HDCTL_OK)
		return NULL;
	tree = yaml_tree_parse(text, strlen(text), path, err);
	free(text);
	if (tree != NULL)
		add_includes(tree, path, depth);
	return tree;
}

json_t *yaml_tree_read(const char *path, struct hd_error *err)
{
	return read_file(path, 0, err);
}
