/* SPDX-License-Identifier: MIT */
/* tools/hdctl/yaml_tree.h - a configuration file as a tree: what a tool must
 * know of it. Whether it is right, `hyper-derp -t` says. */
#pragma once
#include <hyper-derp/base.h>
#include <jansson.h>
#include <stdio.h>

/* yaml_tree_parse - every scalar becomes a string, ~ and nothing become null.
 * @name  of the file, for the error
 * Returns NULL: it is no YAML, err says where. The caller releases it. */
json_t *yaml_tree_parse(const char *text, size_t n, const char *name,
			struct hd_error *err);
/* yaml_tree_read - a file and those that it includes, added up as the relay
 * does it, but for those that cannot be read. Returns NULL: it is one of
 * them.
 * @without  of this file only what it includes; NULL: all of every file */
json_t *yaml_tree_read(const char *path, const char *without,
		       struct hd_error *err);
/* yaml_emit - "key: value" as a person would write it: lists of mappings a
 * line each, lists of words in one. */
void yaml_emit(FILE *out, const char *key, const json_t *value);

/* tree_get - by a path as "tls.certificates"; NULL: it is not there.
 * tree_text - a scalar, or def. tree_is - whether it is true, yes or on. */
json_t *tree_get(const json_t *tree, const char *path);
const char *tree_text(const json_t *tree, const char *path, const char *def);
bool tree_is(const json_t *tree, const char *path);
