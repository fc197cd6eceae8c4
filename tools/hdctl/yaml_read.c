/* SPDX-License-Identifier: MIT */
/* tools/hdctl/yaml_read.c - a file and those it includes, for when the relay
 * itself does not take them: core/conf/conf_merge.c says how they add up. */
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/hdctl/file_arg.h"
#include "tools/hdctl/yaml_tree.h"

enum { INCLUDE_DEPTH_MAX = 8, PATH_BYTES = 4096 };

struct reading {
	const char *without; /* what is in this file is left out; NULL: none */
	struct hd_error *err;
};

static json_t *read_file(const struct reading *r, const char *path,
			 unsigned depth);

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
static void add_found(const struct reading *up, json_t *into,
		      const glob_t *found, unsigned depth)
{
	struct hd_error err;
	struct reading r = { up->without, &err };

	for (size_t i = 0; i < found->gl_pathc; i++) {
		json_t *more = read_file(&r, found->gl_pathv[i],
					 depth + 1);

		if (more != NULL)
			add_map(into, more);
		json_decref(more);
	}
}

static void add_pattern(const struct reading *r, json_t *into,
			const char *path, const char *text, unsigned depth)
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
		add_found(r, into, &found, depth);
	globfree(&found);
}

static void add_includes(const struct reading *r, json_t *into,
			 json_t *include, const char *path, unsigned depth)
{
	const json_t *item;
	size_t i;

	if (include == NULL && depth == 0)
		add_pattern(r, into, path, "modules-enabled/*.yaml", depth);
	else if (json_is_string(include))
		add_pattern(r, into, path, json_string_value(include), depth);
	json_array_foreach(include, i, item)
		if (json_is_string(item))
			add_pattern(r, into, path, json_string_value(item),
				    depth);
}

static bool same_file(const char *a, const char *b)
{
	struct stat sa, sb;

	return b != NULL && stat(a, &sa) == 0 && stat(b, &sb) == 0 &&
	       sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

static json_t *read_file(const struct reading *r, const char *path,
			 unsigned depth)
{
	char *text = NULL;
	json_t *tree, *include;

	if (depth > INCLUDE_DEPTH_MAX) {
		hd_error_set(r->err, -ELOOP, "%s: includes nested too deeply",
			     path);
		return NULL;
	}
	if (file_arg_read(path, &text, r->err) != HDCTL_OK)
		return NULL;
	tree = yaml_tree_parse(text, strlen(text), path, r->err);
	free(text);
	if (tree == NULL)
		return NULL;
	include = json_incref(json_object_get(tree, "include"));
	json_object_del(tree, "include");
	if (same_file(path, r->without))
		json_object_clear(tree);
	add_includes(r, tree, include, path, depth);
	json_decref(include);
	return tree;
}

json_t *yaml_tree_read(const char *path, const char *without,
		       struct hd_error *err)
{
	const struct reading r = { without, err };

	return read_file(&r, path, 0);
}
