/* SPDX-License-Identifier: MIT */
/* tools/lib/yaml_tree.h - a file in YAML as a tree of JSON. */
#pragma once
#include <hyper-derp/base.h>
#include <jansson.h>

/* yaml_tree_parse - every scalar becomes a string, ~ and nothing become null.
 * @name  of the file, for the error
 * Returns NULL: it is no YAML, err says where. The caller releases it. */
json_t *yaml_tree_parse(const char *text, size_t n, const char *name,
			struct hd_error *err);

/* tree_get - by a path as "tls.certificates"; NULL: it is not there.
 * tree_text - a scalar, or def. tree_is - whether it is true, yes or on. */
json_t *tree_get(const json_t *tree, const char *path);
const char *tree_text(const json_t *tree, const char *path, const char *def);
bool tree_is(const json_t *tree, const char *path);
