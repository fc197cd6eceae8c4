/* SPDX-License-Identifier: MIT */
/* tools/hdctl/yaml_tree.h - a configuration file as a tree: what a tool must
 * know of it. Whether it is right, `hyper-derp -t` says. */
#pragma once
#include "tools/lib/yaml_tree.h"
#include <stdio.h>

/* yaml_tree_read - a file and those that it includes, added up as the relay
 * does it, but for those that cannot be read. Returns NULL: it is one of
 * them.
 * @without  of this file only what it includes; NULL: all of every file */
json_t *yaml_tree_read(const char *path, const char *without,
		       struct hd_error *err);
/* yaml_emit - "key: value" as a person would write it: lists of mappings a
 * line each, lists of words in one. */
void yaml_emit(FILE *out, const char *key, const json_t *value);
