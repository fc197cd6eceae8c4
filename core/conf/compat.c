/* SPDX-License-Identifier: MIT */
/* core/conf/compat.c - files that were written for Hyper-DERP's predecessor,
 * and data about modules. Only this file, compat_keys.c and the help in
 * options.c name modules. */
#include "core/conf/compat_keys.h"
#include "core/conf/conf_value.h"
#include <errno.h>
#include <string.h>

const char *const hd_known_modules[] = {
	"derp",	   "stun",   "hd",	 "wg",	 "mesh",
	"metrics", "policy", "fallback", "acme", "mesh_nats",
	"hd_xdp",  NULL,
};

const char *const hd_default_modules[] = { "derp", "stun", NULL };

const char hd_certificate_module[] = "acme";

const char hd_dev_defaults[] = "listen: [{addr: '127.0.0.1:3340', tls: true}]\n"
			       "stun: {listen: '127.0.0.1:3478'}\n";

const char hd_example_modules[] = "load_module: ["
				  "{name: derp, optional: true}, "
				  "{name: stun, optional: true}, "
				  "{name: fallback, optional: true}, "
				  "{name: hd, optional: true}, "
				  "{name: hd_xdp, optional: true}, "
				  "{name: acme, optional: true}, "
				  "{name: mesh, optional: true}, "
				  "{name: mesh_nats, optional: true}, "
				  "{name: metrics, optional: true}, "
				  "{name: policy, optional: true}, "
				  "{name: wg, optional: true}]\n";

static bool is_off(const struct hd_node *node)
{
	static const char *const off[] = { "", "0", "false", "no", "off" };

	if (node->type != HD_NODE_SCALAR)
		return node->n == 0;
	for (size_t i = 0; i < HD_ARRAY_N(off); i++)
		if (strcmp(node->text, off[i]) == 0)
			return true;
	return hd_node_is_null(node);
}

static bool is_for_value(const struct hd_old_key *old,
			 const struct hd_node *node)
{
	return old->value == NULL || (node->type == HD_NODE_SCALAR &&
				      strcmp(old->value, node->text) == 0);
}

static struct hd_node *parent_of(struct hd_node *root, const char *path)
{
	const char *dot;

	while ((dot = strchr(path, '.')) != NULL) {
		char name[64];

		snprintf(name, sizeof(name), "%.*s", (int)(dot - path), path);
		root = hd_node_get(root, name);
		path = dot + 1;
	}
	return root;
}

static int rename_key(struct hd_conf_private *priv,
		      const struct hd_old_key *old, struct hd_node *node,
		      struct hd_error *err)
{
	int r;

	if (old->format != NULL && node->type == HD_NODE_SCALAR)
		node->text = hd_arena_printf(&priv->arena, "%s%s", old->format,
					     node->text);
	if (node->text == NULL && node->type == HD_NODE_SCALAR)
		return hd_error_set(err, -ENOMEM, "out of memory");
	r = hd_node_put(&priv->arena, priv->root, old->to, node);
	if (r == -EEXIST)
		return hd_node_error(node, err,
				     "`%s` is the old name of `%s`, "
				     "which is set too; remove one of the two",
				     old->key, old->to);
	if (r == -ENOTDIR)
		return hd_node_error(node, err,
				     "`%s` belongs to a section "
				     "that is not a mapping",
				     old->to);
	return r;
}

static bool in_list(const struct hd_node *list, const char *name)
{
	for (const struct hd_node *i = list->first; i != NULL; i = i->next) {
		const struct hd_node *n =
			i->type == HD_NODE_SCALAR ? i : hd_node_get(i, "name");

		if (n != NULL && n->type == HD_NODE_SCALAR &&
		    strcmp(n->text, name) == 0)
			return true;
	}
	return false;
}

/* {name: NAME, optional: true}, where the default list has its end. */
static int want_module(struct hd_conf_private *priv, struct hd_node *list,
		       const char *name, const struct hd_node *at)
{
	struct hd_arena *arena = &priv->arena;
	struct hd_node *item =
		hd_node_new(arena, HD_NODE_MAP, at->file, at->line);
	struct hd_node *key = hd_node_scalar(arena, name, at);
	struct hd_node *optional = hd_node_scalar(arena, "true", at);

	if (item == NULL || key == NULL || optional == NULL)
		return -ENOMEM;
	key->key = "name";
	optional->key = "optional";
	hd_node_add(item, key);
	hd_node_add(item, optional);
	hd_node_add(list, item);
	return 0;
}

static int set_implied(struct hd_conf_private *priv,
		       const struct hd_old_key *old, const struct hd_node *node,
		       struct hd_error *err)
{
	struct hd_node *top = NULL;
	int r = hd_yaml_parse(&priv->arena, old->sets, strlen(old->sets),
			      node->file, &top, err);

	if (r < 0)
		return r;
	for (struct hd_node *i = top->first; i != NULL; i = i->next)
		for (struct hd_node *j = i->first; j != NULL; j = j->next)
			j->line = node->line;
	hd_merge_defaults(priv->root, top);
	if (!in_list(hd_node_get(priv->root, "load_module"), old->module))
		return hd_node_error(node, err,
				     "`mode: %s` needs %s in "
				     "`load_module`",
				     old->value, old->module);
	return 0;
}

static void remove_key(struct hd_conf_private *priv, const char *key)
{
	struct hd_node *node = hd_node_get(priv->root, key);

	if (node == NULL)
		return;
	hd_node_warn(node, "`%s` has no effect in this mode", key);
	hd_node_remove(priv->root, node);
}

/* @wanted  modules asked for so far, as entries of load_module */
static int apply_old_key(struct hd_conf_private *priv,
			 const struct hd_old_key *old, struct hd_node *wanted,
			 struct hd_error *err)
{
	struct hd_node *parent = parent_of(priv->root, old->key);
	struct hd_node *node = hd_node_find(priv->root, old->key);

	if (node == NULL || !is_for_value(old, node))
		return 0;
	if (old->drops != NULL)
		remove_key(priv, old->drops);
	if (old->refused != NULL && !is_off(node))
		return hd_node_error(node, err,
				     "`%s` keeps peers out, and has no effect "
				     "here: %s; then remove the key",
				     old->key, old->refused);
	if (!old->keep)
		hd_node_remove(parent, node);
	if (old->ignored != NULL && !is_off(node))
		hd_node_warn(node, "`%s` has no effect here: %s", old->key,
			     old->ignored);
	if (old->sets != NULL)
		return set_implied(priv, old, node, err);
	if (old->to != NULL)
		return rename_key(priv, old, node, err);
	if (old->module != NULL && !is_off(node))
		return want_module(priv, wanted, old->module, node);
	return 0;
}

/* Any value in a mapping of mappings. */
static const struct hd_node *leaf_of(const struct hd_node *node)
{
	const struct hd_node *leaf = NULL;

	if (node->type != HD_NODE_MAP)
		return node;
	for (node = node->first; leaf == NULL && node != NULL;
	     node = node->next)
		leaf = leaf_of(node);
	return leaf;
}

/* The keys that rows left behind in a section that only they know. */
static int check_left(const struct hd_node *node, const char *section,
		      struct hd_error *err)
{
	const char *names[HD_OLD_KEYS_MAX];
	size_t n = 0;

	node = leaf_of(node);
	if (node == NULL)
		return 0;
	for (size_t i = 0; i < hd_n_old_keys; i++) {
		const char *dot = strrchr(hd_old_keys[i].key, '.');

		if (dot != NULL &&
		    strncmp(hd_old_keys[i].key, section, strlen(section)) == 0)
			names[n++] = dot + 1;
	}
	return hd_unknown_key(node, section, names, n, err);
}

static int check_old_sections(struct hd_conf_private *priv,
			      struct hd_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && hd_old_sections[i] != NULL; i++) {
		const char *path = hd_old_sections[i];
		struct hd_node *node = hd_node_find(priv->root, path);

		if (node == NULL)
			continue;
		if (node->type != HD_NODE_MAP)
			return hd_not_map(node, path, err);
		r = check_left(node, path, err);
		hd_node_remove(parent_of(priv->root, path), node);
	}
	return r;
}

/* `mode` is removed by its rows; what is left has a value that none is for. */
static int check_mode(const struct hd_conf_private *priv, struct hd_error *err)
{
	const struct hd_node *mode = hd_node_get(priv->root, "mode");

	if (mode == NULL)
		return 0;
	return hd_node_error(mode, err, "`mode` must be derp, wireguard or wg");
}

/* Without load_module: the default list, then what keys asked for. */
static int default_list(struct hd_conf_private *priv, struct hd_node *wanted)
{
	static const struct hd_node nowhere = { .file = "default" };
	struct hd_node *list =
		hd_node_new(&priv->arena, HD_NODE_LIST, "default", 0);

	if (list == NULL)
		return -ENOMEM;
	for (size_t i = 0; hd_default_modules[i] != NULL; i++) {
		struct hd_node *item = hd_node_scalar(
			&priv->arena, hd_default_modules[i], &nowhere);

		if (item == NULL)
			return -ENOMEM;
		hd_node_add(list, item);
	}
	while (wanted->first != NULL) {
		struct hd_node *item = wanted->first;

		hd_node_remove(wanted, item);
		if (!in_list(list, hd_node_get(item, "name")->text))
			hd_node_add(list, item);
	}
	return hd_node_put(&priv->arena, priv->root, "load_module", list);
}

int hd_compat_apply(struct hd_conf_private *priv, struct hd_error *err)
{
	struct hd_node wanted = { .type = HD_NODE_LIST };
	int r = 0;

	for (size_t i = 0; r == 0 && i < hd_n_old_keys; i++)
		r = apply_old_key(priv, &hd_old_keys[i], &wanted, err);
	if (r == 0)
		r = check_mode(priv, err);
	if (r == 0)
		r = check_old_sections(priv, err);
	if (r == 0 && hd_node_get(priv->root, "load_module") == NULL)
		r = default_list(priv, &wanted);
	return r == -ENOMEM ? hd_error_set(err, r, "out of memory") : r;
}

size_t hd_compat_names(const char **names, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < hd_n_old_keys && n < size; i++)
		if (strchr(hd_old_keys[i].key, '.') == NULL)
			names[n++] = hd_old_keys[i].key;
	for (size_t i = 0; hd_old_sections[i] != NULL && n < size; i++)
		if (strchr(hd_old_sections[i], '.') == NULL)
			names[n++] = hd_old_sections[i];
	return n;
}

static bool is_taken(const struct hd_conf *conf, const char *path)
{
	size_t len = strcspn(path, ".");
	const struct hd_conf_section *s;

	for (s = conf->priv->sections; s != NULL; s = s->next)
		if (strlen(s->name) == len && memcmp(s->name, path, len) == 0)
			return true;
	return false;
}

static bool names_module(const char *entry, const char *module)
{
	const char *slash = strrchr(entry, '/');
	const char *base = slash != NULL ? slash + 1 : entry;
	size_t n = strlen(module);

	return strncmp(base, module, n) == 0 &&
	       (base[n] == '\0' ||
		(slash != NULL && strcmp(base + n, ".so") == 0));
}

/* Without a section it lets nobody in: who has it skipped would let in all.
 * Those of --print-example have no line; one that is not optional has stopped
 * the start, or a reload names it for the next one. */
static int check_skipped(const struct hd_conf *conf, const char *module,
			 struct hd_error *err)
{
	for (size_t i = 0; i < conf->n_load_module; i++) {
		const struct hd_load_conf *e = &conf->load_module[i];

		if (e->optional && e->line > 0 &&
		    names_module(e->name, module))
			return hd_error_set(
				err, -EINVAL,
				"%s:%u: the module %s, which says who may log "
				"in, is not loaded, so everybody could; "
				"install or load it, or take it out of "
				"`load_module`",
				e->file, e->line, module);
	}
	return 0;
}

/* What keeps somebody out must not pass for being in force without its
 * module. */
int hd_compat_finish(const struct hd_conf *conf, struct hd_error *err)
{
	static const char *const restricting[] = { "policy" };
	int r = 0;

	for (size_t i = 0; i < HD_ARRAY_N(restricting) && r == 0; i++) {
		const char *path = restricting[i];
		struct hd_node *node = hd_node_find(conf->priv->root, path);

		if (is_taken(conf, path))
			continue;
		if (node != NULL && !is_off(node))
			return hd_node_error(node, err,
					     "`%s` keeps peers out, and the "
					     "module %s that would do it is "
					     "not loaded; load it or remove "
					     "the key",
					     path, path);
		r = check_skipped(conf, path, err);
	}
	return r;
}
