/* SPDX-License-Identifier: MIT */
/* core/conf/conf_node.h - inside the configuration: the tree that a file
 * becomes, before option tables make it typed. All of it lies in one arena. */
#pragma once
#include <hyper-derp/config.h>
#include <hyper-derp/near.h>
#include <stdarg.h>

/* ---- arena ---- */

struct hd_arena {
	struct hd_arena_block *first;
};

/* hd_arena_alloc - zeroed memory that lives as long as the arena.
 * Returns NULL when out of memory. */
void *hd_arena_alloc(struct hd_arena *arena, size_t n);
/* hd_arena_text - a copy of n bytes and a 0. Returns NULL as above. */
const char *hd_arena_text(struct hd_arena *arena, const char *s, size_t n);
const char *hd_arena_printf(struct hd_arena *arena, const char *fmt, ...)
	HD_PRINTF(2, 3);
void hd_arena_free(struct hd_arena *arena);

/* ---- tree ---- */

/* Bounds that no honest file meets and no hostile one passes. */
#define HD_CONF_FILE_MAX_BYTES (1u << 20)
#define HD_CONF_FILES_MAX 256
#define HD_CONF_DEPTH_MAX 16
#define HD_CONF_NODES_MAX 100000
#define HD_CONF_KEYS_MAX 1024 /* in one mapping: finding doubles is n^2 */

enum hd_node_type { HD_NODE_SCALAR, HD_NODE_LIST, HD_NODE_MAP };

struct hd_node {
	enum hd_node_type type;
	bool plain; /* a scalar without quotes: it may mean null */
	const char *key; /* in a mapping */
	const char *text; /* of a scalar */
	const char *file; /* or the flag that it comes from */
	unsigned line; /* of the key; 0: not from a file */
	unsigned n; /* children, first to last */
	struct hd_node *first, *last, *next;
};

struct hd_node *hd_node_new(struct hd_arena *arena, enum hd_node_type type,
			    const char *file, unsigned line);
/* hd_node_scalar - a new one, placed where `at` is. */
struct hd_node *hd_node_scalar(struct hd_arena *arena, const char *text,
			       const struct hd_node *at);
void hd_node_add(struct hd_node *parent, struct hd_node *child);
void hd_node_remove(struct hd_node *parent, struct hd_node *child);
/* hd_node_set - add to a mapping, in place of a null with the same key. */
void hd_node_set(struct hd_node *map, struct hd_node *child);

/* hd_node_get - the child of a mapping, or NULL: absent, or null. */
struct hd_node *hd_node_get(const struct hd_node *map, const char *key);
/* hd_node_find - the same for "log.level". */
struct hd_node *hd_node_find(const struct hd_node *root, const char *path);
/* hd_node_put - make `path` be this node; mappings on the way are made.
 * @node  taken; its key becomes the last part of the path
 * Returns 0; -EEXIST something is there already; -ENOTDIR a part of the path
 * is no mapping; -ENOMEM. */
int hd_node_put(struct hd_arena *arena, struct hd_node *root, const char *path,
		struct hd_node *node);
bool hd_node_is_null(const struct hd_node *node);
/* hd_node_same - they say the same, wherever they stand. NULL: absent. */
bool hd_node_same(const struct hd_node *a, const struct hd_node *b);

/* hd_node_error - "FILE:LINE: " and the sentence. Returns -EINVAL. */
int hd_node_error(const struct hd_node *at, struct hd_error *err,
		  const char *fmt, ...) HD_PRINTF(3, 4);
/* hd_node_twice - the error of a key that has two values. */
int hd_node_twice(const struct hd_node *first, const struct hd_node *second,
		  struct hd_error *err);
/* hd_node_warn - to the log, with FILE:LINE. */
void hd_node_warn(const struct hd_node *at, const char *fmt, ...)
	HD_PRINTF(2, 3);

/* ---- files ---- */

/* hd_yaml_parse - one document whose top is a mapping (or nothing).
 * @name      for messages; must live as long as the arena
 * Returns 0; -EINVAL; -ENOMEM. */
int hd_yaml_parse(struct hd_arena *arena, const char *text, size_t len,
		  const char *name, struct hd_node **ret_root,
		  struct hd_error *err);

struct hd_conf_instead;
struct hd_instead { /* texts that are read where files would be */
	const struct hd_conf_instead *v;
	size_t n;
};

/* hd_merge_file - read a file and what it includes into root, which may be
 * empty. Lists are appended; any other key set twice is an error.
 * @ret_includes  whether it says what it includes
 * hd_merge_default_include - what a file at @path includes that does not say.
 * hd_merge_defaults - add from `from` what is not set in root. */
#define HD_DEFAULT_INCLUDE "modules-enabled/*.yaml"
int hd_merge_file(struct hd_arena *arena, const struct hd_instead *instead,
		  const char *path, struct hd_node *root, bool *ret_includes,
		  struct hd_error *err);
int hd_merge_default_include(struct hd_arena *arena,
			     const struct hd_instead *instead, const char *path,
			     struct hd_node *root, struct hd_error *err);
void hd_merge_defaults(struct hd_node *root, struct hd_node *from);

/* ---- names ---- */
