/* SPDX-License-Identifier: MIT */
/* core/conf/conf_section.c - the sections of modules; what may change in a
 * running relay. */
#include "core/conf/conf_value.h"
#include <errno.h>
#include <string.h>

static struct hd_conf_section **place_of(struct hd_conf *conf, const char *name)
{
	struct hd_conf_section **at = &conf->priv->sections;

	while (*at != NULL && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	return at;
}

int hd_conf_section_put(struct hd_conf *conf, const char *name,
			const struct hd_option *table, void *data)
{
	struct hd_conf_section **at = place_of(conf, name), *s = *at;

	if (s == NULL) {
		s = hd_arena_alloc(&conf->priv->arena, sizeof(*s));
		if (s == NULL)
			return -ENOMEM;
		s->name = hd_arena_text(&conf->priv->arena, name, strlen(name));
		if (s->name == NULL)
			return -ENOMEM;
		*at = s;
	}
	s->table = table;
	s->data = data;
	return 0;
}

void hd_conf_section_drop(struct hd_conf *conf, const char *name)
{
	struct hd_conf_section **at = place_of(conf, name);

	if (*at != NULL)
		*at = (*at)->next;
}

size_t hd_conf_place_bytes(const struct hd_conf *conf, const char *section,
			   const char *text)
{
	const struct hd_node *node = hd_node_get(conf->priv->root, section);
	const char *file = node != NULL ? node->file : NULL;
	size_t n = file != NULL ? strlen(file) : 0;

	if (n == 0 || strncmp(text, file, n) != 0 || text[n] != ':')
		return 0;
	size_t digits = strspn(text + n + 1, "0123456789");
	return digits > 0 && text[n + 1 + digits] == ':' ? n + 1 + digits : 0;
}

static int check_map(const struct hd_node *node, const char *name,
		     const struct hd_option *table, struct hd_error *err)
{
	if (node == NULL)
		return 0;
	if (table == NULL)
		return hd_node_error(node, err,
				     "the module %s has no options; "
				     "remove `%s`",
				     name, name);
	if (node->type != HD_NODE_MAP)
		return hd_not_map(node, name, err);
	return hd_table_check(table, node, name, err);
}

int hd_conf_section_fill(struct hd_conf *conf, const char *name,
			 const struct hd_option *table, size_t size,
			 void **ret_conf, struct hd_error *err)
{
	const struct hd_node *node = hd_node_get(conf->priv->root, name);
	void *data = hd_arena_alloc(&conf->priv->arena, HD_MAX(size, 1u));
	int r = check_map(node, name, table, err);

	if (r == 0 && data == NULL)
		r = -ENOMEM;
	if (r == 0 && table != NULL)
		r = hd_table_fill(conf->priv, table, node, data, err);
	if (r == 0)
		r = hd_conf_section_put(conf, name, table, data);
	if (r == -ENOMEM)
		return hd_error_set(err, r, "out of memory");
	if (r == 0)
		*ret_conf = data;
	return r;
}

static bool is_section(const struct hd_conf *conf, const char *key)
{
	const struct hd_conf_section *s;

	for (s = conf->priv->sections; s != NULL; s = s->next)
		if (strcmp(s->name, key) == 0)
			return true;
	return false;
}

/* What --dev sets for a module that is not loaded is nobody's mistake. */
static bool is_written(const struct hd_node *node)
{
	return node->line != 0 && !hd_node_is_null(node);
}

static bool is_left(const struct hd_conf *conf, const struct hd_node *node)
{
	return is_written(node) && !hd_is_core_key(node->key) &&
	       !is_section(conf, node->key);
}

void hd_conf_left(const struct hd_conf *conf,
		  void (*fn)(void *arg, const char *name), void *arg)
{
	for (const struct hd_node *i = conf->priv->root->first; i != NULL;
	     i = i->next)
		if (is_left(conf, i))
			fn(arg, i->key);
}

/* The same key and value, or neither has one. */
static const struct hd_node *other_section(const struct hd_conf *a,
					   const struct hd_conf *b)
{
	for (const struct hd_node *i = a->priv->root->first; i != NULL;
	     i = i->next)
		if (is_left(a, i) &&
		    !hd_node_same(i, hd_node_get(b->priv->root, i->key)))
			return i;
	return NULL;
}

int hd_conf_same_sections(const struct hd_conf *a, const struct hd_conf *b,
			  struct hd_error *err)
{
	const struct hd_node *other = other_section(a, b);

	if (other == NULL)
		other = other_section(b, a);
	return other == NULL ? 0
			     : hd_node_error(other, err,
					     "`%s` is not as in the other "
					     "configuration", other->key);
}

int hd_conf_finish(struct hd_conf *conf, struct hd_error *err)
{
	int r = hd_compat_finish(conf, err);

	if (r < 0)
		return r;
	for (const struct hd_node *i = conf->priv->root->first; i != NULL;
	     i = i->next)
		if (is_left(conf, i))
			hd_node_warn(i,
				     "the section `%s` has no effect: that "
				     "module is not loaded",
				     i->key);
	return 0;
}

/* ---- what may change ---- */

static int fail_live(const struct hd_conf *conf, const struct hd_conf *other,
		     const char *section, const char *name,
		     struct hd_error *err)
{
	char path[128];
	const struct hd_node *node;

	snprintf(path, sizeof(path), "%s%s%s", section == NULL ? "" : section,
		 section == NULL ? "" : ".", name);
	node = hd_node_find(conf->priv->root, path);
	if (node == NULL) /* it was there, and is gone */
		node = hd_node_find(other->priv->root, path);
	if (node == NULL)
		hd_error_set(err, -EBUSY, "`%s` has changed; restart to apply",
			     path);
	else
		hd_node_error(node, err,
			      "`%s` has changed, which needs a "
			      "restart",
			      path);
	return -EBUSY;
}

/* The next of a table, from o on; NULL: no more. */
static const struct hd_option *table_change(const struct hd_option *o,
					    const void *a, const void *b)
{
	for (; o->name != NULL; o++)
		if (!o->live && !hd_value_equal(o, a, b))
			return o;
	return NULL;
}

/* The one listener may come from `port`. */
static const char *key_of(const struct hd_option *o, const struct hd_conf *conf)
{
	bool port = strcmp(o->name, "listen") == 0 &&
		    hd_node_get(conf->priv->root, "port") != NULL;

	return port ? "port" : o->name;
}

/* Sections that both have with the same table. */
static void fixed_sections(const struct hd_conf *old_conf,
			   const struct hd_conf *new_conf,
			   hd_conf_fixed_fn *fn, void *arg)
{
	const struct hd_conf_section *a, *b;

	for (a = old_conf->priv->sections; a != NULL; a = a->next)
		for (b = new_conf->priv->sections; b != NULL; b = b->next) {
			const struct hd_option *o = a->table;

			if (a->table != b->table || a->table == NULL ||
			    strcmp(a->name, b->name) != 0)
				continue;
			while ((o = table_change(o, a->data, b->data)) != NULL)
				fn(arg, a->name, o++->name);
		}
}

void hd_conf_fixed(const struct hd_conf *old_conf,
		   const struct hd_conf *new_conf, hd_conf_fixed_fn *fn,
		   void *arg)
{
	for (const struct hd_core_section *s = hd_core_sections;
	     s->table != NULL; s++) {
		const struct hd_option *o = s->table;

		while ((o = table_change(o, old_conf, new_conf)) != NULL)
			fn(arg, s->name, key_of(o++, new_conf));
	}
	fixed_sections(old_conf, new_conf, fn, arg);
}

struct first {
	const char *section, *name; /* name NULL: none */
};

static void note_first(void *arg, const char *section, const char *name)
{
	struct first *f = arg;

	if (f->name == NULL)
		*f = (struct first){ section, name };
}

int hd_conf_live_only(const struct hd_conf *old_conf,
		      const struct hd_conf *new_conf, struct hd_error *err)
{
	struct first f = { .name = NULL };

	hd_conf_fixed(old_conf, new_conf, note_first, &f);
	return f.name == NULL ? 0
			      : fail_live(new_conf, old_conf, f.section, f.name,
					  err);
}
