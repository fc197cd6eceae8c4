/* SPDX-License-Identifier: MIT */
/* core/conf/conf_edited.c - one section of the file as it is now, in a
 * configuration that is at work; and what else the file has that differs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "core/conf/conf_value.h"

static struct hd_node *copy_node(struct hd_arena *arena,
				 const struct hd_node *from);

static int copy_children(struct hd_arena *arena, struct hd_node *to,
			 const struct hd_node *from)
{
	for (const struct hd_node *i = from->first; i != NULL; i = i->next) {
		struct hd_node *child = copy_node(arena, i);

		if (child == NULL)
			return -ENOMEM;
		hd_node_add(to, child);
	}
	return 0;
}

static bool copy_text(struct hd_arena *arena, const char **ret,
		      const char *text)
{
	if (text != NULL)
		*ret = hd_arena_text(arena, text, strlen(text));
	return text == NULL || *ret != NULL;
}

static struct hd_node *copy_node(struct hd_arena *arena,
				 const struct hd_node *from)
{
	struct hd_node *to = hd_node_new(arena, from->type, NULL, from->line);

	if (to == NULL || !copy_text(arena, &to->file, from->file) ||
	    !copy_text(arena, &to->key, from->key) ||
	    !copy_text(arena, &to->text, from->text))
		return NULL;
	to->plain = from->plain;
	return copy_children(arena, to, from) == 0 ? to : NULL;
}

struct hd_node *hd_conf_section_swap(struct hd_conf *conf, const char *name,
				     struct hd_node *node)
{
	struct hd_node *root = conf->priv->root;
	struct hd_node *old = hd_node_get(root, name);

	if (old != NULL)
		hd_node_remove(root, old);
	if (node != NULL)
		hd_node_set(root, node);
	return old;
}

int hd_conf_section_take(struct hd_conf *conf, const struct hd_conf *from,
			 const char *name, struct hd_node **ret_old)
{
	const struct hd_node *node = hd_node_get(from->priv->root, name);
	struct hd_node *copy = NULL;

	if (node != NULL) {
		copy = copy_node(&conf->priv->arena, node);
		if (copy == NULL)
			return -ENOMEM;
	}
	*ret_old = hd_conf_section_swap(conf, name, copy);
	return 0;
}

/* ---- what differs ---- */

static bool same_node(const struct hd_node *a, const struct hd_node *b);

static bool same_map(const struct hd_node *a, const struct hd_node *b)
{
	const struct hd_node *i = a->first;

	while (i != NULL &&
	       same_node(hd_node_get(a, i->key), hd_node_get(b, i->key)))
		i = i->next;
	return i == NULL;
}

static bool same_list(const struct hd_node *a, const struct hd_node *b)
{
	const struct hd_node *i = a->first, *k = b->first;

	while (i != NULL && k != NULL && same_node(i, k))
		i = i->next, k = k->next;
	return i == k; /* both have ended */
}

static bool same_children(const struct hd_node *a, const struct hd_node *b)
{
	if (a->n != b->n)
		return false;
	return a->type == HD_NODE_MAP ? same_map(a, b) : same_list(a, b);
}

/* NULL is no node. As text: 1s and 1000ms differ. */
static bool same_node(const struct hd_node *a, const struct hd_node *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return a->type == b->type && hd_same_text(a->text, b->text) &&
	       same_children(a, b);
}

static const struct hd_node *section_of(const struct hd_conf *conf,
					const char *name)
{
	return hd_node_get(conf->priv->root, name);
}

bool hd_conf_section_same(const struct hd_conf *a, const struct hd_conf *b,
			  const char *name)
{
	return same_node(section_of(a, name), section_of(b, name));
}

const struct hd_option *hd_conf_section_fixed(const struct hd_conf *a,
					      const struct hd_conf *b,
					      const char *name,
					      const struct hd_option *table)
{
	const struct hd_node *x = section_of(a, name), *y = section_of(b, name);

	for (const struct hd_option *o = table; o && o->name; o++)
		if (!o->live && o->type != HD_OPTION_PLACE &&
		    !same_node(hd_node_get(x, o->name),
			       hd_node_get(y, o->name)))
			return o;
	return NULL;
}

struct unlike {
	const struct hd_node *a, *b;
	const char *except;
	char *buf;
	size_t size, len;
};

static void add_unlike(struct unlike *u, const char *key)
{
	if (u->len < u->size)
		u->len += (size_t)snprintf(u->buf + u->len, u->size - u->len,
					   "%s%s", u->len > 0 ? ", " : "", key);
}

/* load_module is what the next start loads: nobody applies it. */
static bool is_left_out(const struct unlike *u, const char *key)
{
	return strcmp(key, u->except) == 0 || strcmp(key, "load_module") == 0;
}

size_t hd_conf_unlike(const struct hd_conf *conf, const struct hd_conf *other,
		      const char *except, char *buf, size_t size)
{
	struct unlike u = { .a = conf->priv->root,
			    .b = other->priv->root,
			    .except = except,
			    .buf = buf,
			    .size = size };

	for (const struct hd_node *i = u.a->first; i != NULL; i = i->next)
		if (!is_left_out(&u, i->key) &&
		    !same_node(hd_node_get(u.a, i->key),
			       hd_node_get(u.b, i->key)))
			add_unlike(&u, i->key);
	for (const struct hd_node *i = u.b->first; i != NULL; i = i->next)
		if (!is_left_out(&u, i->key) && !hd_node_is_null(i) &&
		    hd_node_get(u.a, i->key) == NULL)
			add_unlike(&u, i->key);
	return u.len;
}
