/* SPDX-License-Identifier: MIT */
/* core/conf/conf_node.c - the tree of a configuration, and messages that name
 * the place of a node. */
#include "core/conf/conf_node.h"
#include <ctype.h>
#include <errno.h>
#include <hyper-derp/log.h>
#include <stdio.h>
#include <string.h>

#define FILE_LINE_BYTES 256

struct hd_node *hd_node_new(struct hd_arena *arena, enum hd_node_type type,
			    const char *file, unsigned line)
{
	struct hd_node *node = hd_arena_alloc(arena, sizeof(*node));

	if (node == NULL)
		return NULL;
	node->type = type;
	node->file = file;
	node->line = line;
	return node;
}

struct hd_node *hd_node_scalar(struct hd_arena *arena, const char *text,
			       const struct hd_node *at)
{
	struct hd_node *node =
		hd_node_new(arena, HD_NODE_SCALAR, at->file, at->line);

	if (node == NULL || text == NULL)
		return NULL;
	node->text = text;
	return node;
}

void hd_node_add(struct hd_node *parent, struct hd_node *child)
{
	child->next = NULL;
	if (parent->last != NULL)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
	parent->n++;
}

void hd_node_remove(struct hd_node *parent, struct hd_node *child)
{
	struct hd_node *before = NULL;

	for (struct hd_node *i = parent->first; i != child; i = i->next)
		before = i;
	if (before != NULL)
		before->next = child->next;
	else
		parent->first = child->next;
	if (parent->last == child)
		parent->last = before;
	child->next = NULL;
	parent->n--;
}

/* YAML 1.2, 10.2.1.1. An empty value is null too: `tls_cert:`. */
bool hd_node_is_null(const struct hd_node *node)
{
	static const char *const null[] = { "", "~", "null", "Null", "NULL" };

	if (node->type != HD_NODE_SCALAR || !node->plain)
		return false;
	for (size_t i = 0; i < HD_ARRAY_N(null); i++)
		if (strcmp(node->text, null[i]) == 0)
			return true;
	return false;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool hd_node_same(const struct hd_node *a, const struct hd_node *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	if (a->type != b->type || a->n != b->n || a->plain != b->plain ||
	    !same_text(a->key, b->key) || !same_text(a->text, b->text))
		return false;
	a = a->first;
	b = b->first;
	for (; a != NULL && b != NULL; a = a->next, b = b->next)
		if (!hd_node_same(a, b))
			return false;
	return a == b;
}

static struct hd_node *child_of(const struct hd_node *map, const char *key,
				size_t len)
{
	struct hd_node *i;

	if (map == NULL || map->type != HD_NODE_MAP)
		return NULL;
	for (i = map->first; i != NULL; i = i->next)
		if (strlen(i->key) == len && memcmp(i->key, key, len) == 0)
			return i;
	return NULL;
}

void hd_node_set(struct hd_node *map, struct hd_node *child)
{
	struct hd_node *old = child_of(map, child->key, strlen(child->key));

	if (old != NULL)
		hd_node_remove(map, old);
	hd_node_add(map, child);
}

struct hd_node *hd_node_get(const struct hd_node *map, const char *key)
{
	struct hd_node *node = child_of(map, key, strlen(key));

	return node == NULL || hd_node_is_null(node) ? NULL : node;
}

struct hd_node *hd_node_find(const struct hd_node *root, const char *path)
{
	const char *dot;

	while ((dot = strchr(path, '.')) != NULL && root != NULL) {
		root = child_of(root, path, (size_t)(dot - path));
		path = dot + 1;
	}
	return hd_node_get(root, path);
}

/* The mapping `path` lies in. */
static int make_parents(struct hd_arena *arena, struct hd_node **parent,
			const char **path, const struct hd_node *at)
{
	const char *dot;

	while ((dot = strchr(*path, '.')) != NULL) {
		size_t len = (size_t)(dot - *path);
		struct hd_node *map = child_of(*parent, *path, len);

		if (map != NULL && hd_node_is_null(map))
			map->type = HD_NODE_MAP;
		if (map == NULL) {
			map = hd_node_new(arena, HD_NODE_MAP, at->file,
					  at->line);
			if (map == NULL)
				return -ENOMEM;
			map->key = hd_arena_text(arena, *path, len);
			if (map->key == NULL)
				return -ENOMEM;
			hd_node_add(*parent, map);
		}
		if (map->type != HD_NODE_MAP)
			return -ENOTDIR;
		*parent = map;
		*path = dot + 1;
	}
	return 0;
}

int hd_node_put(struct hd_arena *arena, struct hd_node *root, const char *path,
		struct hd_node *node)
{
	int r = make_parents(arena, &root, &path, node);

	if (r < 0)
		return r;
	if (hd_node_get(root, path) != NULL)
		return -EEXIST;
	node->key = path;
	hd_node_set(root, node);
	return 0;
}

static const char *place_text(const struct hd_place *at,
			      char buf[FILE_LINE_BYTES])
{
	if (at->line == 0)
		snprintf(buf, FILE_LINE_BYTES, "%s", at->file);
	else
		snprintf(buf, FILE_LINE_BYTES, "%s:%u", at->file, at->line);
	return buf;
}

static const char *file_and_line(const struct hd_node *at,
				 char buf[FILE_LINE_BYTES])
{
	const struct hd_place place = { at->file, at->line };

	return place_text(&place, buf);
}

/* A file must not drive the terminal that its mistakes are shown on. */
static void clean(char *text)
{
	for (; *text != '\0'; text++)
		if (iscntrl((unsigned char)*text))
			*text = '?';
}

HD_PRINTF(4, 0)
static int error_at(const struct hd_place *at, struct hd_error *err, int code,
		    const char *fmt, va_list ap)
{
	char text[sizeof(err->text)], where[FILE_LINE_BYTES];

	vsnprintf(text, sizeof(text), fmt, ap);
	clean(text);
	if (at->file == NULL)
		return hd_error_set(err, code, "%s", text);
	return hd_error_set(err, code, "%s: %s", place_text(at, where), text);
}

int hd_node_error(const struct hd_node *at, struct hd_error *err,
		  const char *fmt, ...)
{
	const struct hd_place place = { at->file, at->line };
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = error_at(&place, err, -EINVAL, fmt, ap);
	va_end(ap);
	return r;
}

int hd_error_at(const struct hd_place *at, struct hd_error *err, int code,
		const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = error_at(at, err, code, fmt, ap);
	va_end(ap);
	return r;
}

int hd_node_twice(const struct hd_node *first, const struct hd_node *second,
		  struct hd_error *err)
{
	char where[FILE_LINE_BYTES];

	return hd_node_error(second, err,
			     "`%s` is set already, at %s; "
			     "remove one of the two",
			     second->key, file_and_line(first, where));
}

void hd_node_warn(const struct hd_node *at, const char *fmt, ...)
{
	char text[sizeof(struct hd_error)], where[FILE_LINE_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	clean(text);
	/* Not hd_log_warn(): a start may bring more than 5 of them. */
	if (hd_log_on(HD_LOG_WARN))
		hd_log_write(HD_LOG_WARN, "%s: %s", file_and_line(at, where),
			     text);
}
