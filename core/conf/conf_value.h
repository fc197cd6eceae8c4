/* SPDX-License-Identifier: MIT */
/* core/conf/conf_value.h - inside the configuration: option tables at work. */
#pragma once
#include "core/conf/conf.h"
#include "core/conf/conf_node.h"
#include <stdio.h>

struct hd_conf_section { /* taken by a module */
	const char *name;
	const struct hd_option *table; /* NULL: the module has no options */
	void *data;
	struct hd_conf_section *next;
};

/* In place of an HD_OPTION_SECRET_TEXT. */
#define HD_SECRET_TEXT_SHOWN "***"

struct hd_conf_secret {
	void *v;
	struct hd_conf_secret *next;
};

struct hd_conf_private {
	struct hd_arena arena;
	struct hd_node *root;
	const char
		*includes_default; /* the first file, if it has no `include` */
	struct hd_conf_section *sections; /* in order of taking */
	struct hd_conf_secret *secrets;
};

/* hd_value_set - check a node and store it at its option's offset in base.
 * @node  NULL: the option's default */
int hd_value_set(struct hd_conf_private *priv, const struct hd_option *opt,
		 const struct hd_node *node, void *base, struct hd_error *err);
/* hd_same_text - equal, or both NULL. */
bool hd_same_text(const char *a, const char *b);
bool hd_value_equal(const struct hd_option *opt, const void *a, const void *b);
/* hd_value_size - what it takes in the struct; 0: there is no such type. */
size_t hd_value_size(enum hd_option_type type);
/* hd_is_unset - the node of an option says what no node says. */
bool hd_is_unset(const struct hd_option *opt, const struct hd_node *node);

/* hd_table_fill - every option of a table from a mapping, or its default.
 * @map  NULL: there is none; a scalar: what its bare option is
 * hd_table_check - no other keys are in the mapping.
 * hd_table_required - those that must be are set, in an entry of a list.
 * hd_row_node - the node of an option. Returns NULL: unset. */
int hd_table_fill(struct hd_conf_private *priv, const struct hd_option *table,
		  const struct hd_node *map, void *base, struct hd_error *err);
int hd_table_check(const struct hd_option *table, const struct hd_node *map,
		   const char *section, struct hd_error *err);
int hd_table_required(const struct hd_option *table, const struct hd_node *map,
		      const char *list, struct hd_error *err);
const struct hd_node *hd_row_node(const struct hd_option *opt,
				  const struct hd_node *map);

/* hd_not_map - the error of a section that is none. */
int hd_not_map(const struct hd_node *node, const char *section,
	       struct hd_error *err);
/* hd_unknown_key - the error that names the nearest known key. */
int hd_unknown_key(const struct hd_node *node, const char *section,
		   const char *const *names, size_t n, struct hd_error *err);

/* ---- lists of mappings: core/conf/conf_entries.c ---- */

/* hd_entries_set - fill an array. @at  the HD_ENTRIES_OF() in the struct
 * hd_entries_n, hd_entries_get - what is in it. */
int hd_entries_set(struct hd_conf_private *priv, const struct hd_option *opt,
		   const struct hd_node *node, void *at, struct hd_error *err);
size_t hd_entries_n(const void *at);
const void *hd_entries_get(const struct hd_option *opt, const void *at,
			   size_t i);
bool hd_entries_equal(const struct hd_option *opt, const void *a,
		      const void *b);
/* hd_place_set - of a row of HD_OPTION_PLACE. */
void hd_place_set(const struct hd_option *opt, const struct hd_node *map,
		  void *base);
/* The file of nodes that are a default. */
extern const char hd_default_file[];

/* ---- the core's own tables: core/conf/options.c ---- */

struct hd_core_section {
	const char *name; /* NULL: at the top */
	const struct hd_option *table;
};
extern const struct hd_core_section hd_core_sections[]; /* table NULL ends */

/* Of an entry in a list: core/conf/options_entry.c */
extern const struct hd_option hd_listen_options[], hd_load_options[],
	hd_cert_options[];

/* Keys that are no options of a struct: what they mean. */
extern const struct hd_core_section hd_special_sections[];
extern const struct hd_option hd_short_cert_options[];
extern const struct hd_option hd_port_option;

/* hd_flag_put - what a flag says, in place of what the file does.
 * @flag  "--workers", for messages
 * Returns 0; -ENOTDIR a part of the path is no mapping; -ENOMEM. */
int hd_flag_put(struct hd_conf_private *priv, const char *flag,
		const char *path, const char *text);

/* ---- keys: core/conf/conf_keys.c ---- */

/* hd_conf_check_sections - those of the core are mappings of known keys.
 * hd_conf_check_keys - at the top are only keys of the core, of modules that
 * are loaded, ours or known to fn (may be NULL), and of the predecessor. */
int hd_conf_check_sections(const struct hd_node *root, struct hd_error *err);
int hd_conf_check_keys(struct hd_conf *conf, hd_is_module_fn *fn,
		       struct hd_error *err);
bool hd_is_core_key(const char *key);

/* ---- the core's lists beyond their tables: core/conf/conf_list.c ---- */
int hd_conf_lists(struct hd_conf *conf, const struct hd_conf_cli *cli,
		  struct hd_error *err);

/* ---- lists of proxies: core/conf/conf_proxies.c ---- */

#define HD_PROXIES_MAX 1024
/* hd_conf_prefixes - texts become prefixes. @key  whose they are, for messages
 * Returns 0; -EINVAL, with the place, one is none; -ENOMEM. */
int hd_conf_prefixes(struct hd_conf *conf, const char *key,
		     const struct hd_place *at, const struct hd_list *texts,
		     struct hd_prefixes *ret, struct hd_error *err);
/* hd_conf_trusted - those of trusted_proxies. */
int hd_conf_trusted(struct hd_conf *conf, struct hd_error *err);

/* ---- data about modules and predecessors: core/conf/compat.c ---- */

/* hd_compat_apply - rewrite the tree: old keys to ours, modules they imply. */
int hd_compat_apply(struct hd_conf_private *priv, struct hd_error *err);
/* hd_compat_names - the top-level keys that it takes. Returns how many. */
size_t hd_compat_names(const char **names, size_t size);
/* hd_compat_finish - what is left over for modules that are not loaded. */
int hd_compat_finish(const struct hd_conf *conf, struct hd_error *err);
extern const char *const hd_known_modules[]; /* NULL at the end */
extern const char *const hd_default_modules[]; /* those without load_module */
extern const char hd_dev_defaults[]; /* YAML */
extern const char hd_certificate_module[]; /* whom a message names */
extern const char hd_example_modules[]; /* YAML; those that the example shows */
