/* SPDX-License-Identifier: MIT */
/* tools/hdctl/edit/edit_parse.c - a text becomes a tree that knows where each
 * thing stands. libyaml's events have marks that count characters; they become
 * bytes here. An alias stays what it is: nothing is read twice. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "tools/hdctl/edit/edit.h"

enum { DEPTH_MAX = 32, KEYS_MAX = 1024, NODES_MAX = 100000 };

struct reader {
	struct edit_text *t;
	yaml_parser_t yaml;
	struct hd_error *err;
};

static int fail(struct reader *rd, size_t line, const char *why)
{
	return hd_error_set(rd->err, -EINVAL, "%s:%zu: %s", rd->t->name,
			    line + 1, why);
}

/* ---- from characters to bytes ---- */

static bool is_first_byte(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

static int count_bytes(struct edit_text *t)
{
	size_t at = strncmp(t->text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	t->offsets = malloc((t->len + 2) * sizeof(*t->offsets));
	if (t->offsets == NULL)
		return -ENOMEM;
	for (; at < t->len; at++)
		if (is_first_byte(t->text[at]))
			t->offsets[t->n_offsets++] = at;
	t->offsets[t->n_offsets] = t->len;
	return 0;
}

static size_t place(const struct edit_text *t, const yaml_mark_t *m)
{
	return t->offsets[HD_MIN(m->index, t->n_offsets)];
}

/* ---- nodes ---- */

static int add_word(struct edit_text *t, size_t begin, size_t end)
{
	if (t->n_words == t->words_size) {
		size_t size = 2 * t->words_size + 64;
		struct edit_range *v = realloc(t->words, size * sizeof(*v));

		if (v == NULL)
			return -ENOMEM;
		t->words = v;
		t->words_size = size;
	}
	t->words[t->n_words++] = (struct edit_range){ begin, end };
	return 0;
}

static struct edit_node *new_node(struct edit_text *t, const yaml_event_t *ev)
{
	struct edit_node *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return NULL;
	n->begin = place(t, &ev->start_mark);
	n->end = place(t, &ev->end_mark);
	n->all = t->all;
	t->all = n;
	return n;
}

static void add_child(struct edit_node *up, struct edit_node *child)
{
	child->up = up;
	child->prev = up->last;
	if (up->last != NULL)
		up->last->next = child;
	else
		up->first = child;
	up->last = child;
	up->n++;
}

static int read_node(struct reader *rd, const yaml_event_t *ev, unsigned depth,
		     struct edit_node **ret);

static int next(struct reader *rd, yaml_event_t *ev)
{
	if (yaml_parser_parse(&rd->yaml, ev))
		return 0;
	return fail(rd, rd->yaml.problem_mark.line,
		    rd->yaml.problem != NULL ? rd->yaml.problem
					     : "this is not YAML");
}

static int read_scalar(struct reader *rd, struct edit_node *n,
		       const yaml_event_t *ev)
{
	const char *text = (const char *)ev->data.scalar.value;
	yaml_scalar_style_t style = ev->data.scalar.style;

	if (strlen(text) != ev->data.scalar.length)
		return fail(rd, ev->start_mark.line,
			    "a text contains a NUL byte");
	n->text = strdup(text);
	n->anchor = ev->data.scalar.anchor != NULL;
	n->block_text = style == YAML_LITERAL_SCALAR_STYLE ||
			style == YAML_FOLDED_SCALAR_STYLE;
	n->null = style == YAML_PLAIN_SCALAR_STYLE &&
		  (*text == '\0' || strcmp(text, "~") == 0 ||
		   strcmp(text, "null") == 0);
	return n->text == NULL ? -ENOMEM : add_word(rd->t, n->begin, n->end);
}

/* The '-' of an item: what stands before it is blank, or a comment. */
static size_t find_dash(const struct edit_text *t, size_t at, size_t end)
{
	while (at < end && t->text[at] != '-')
		if (t->text[at] == '#')
			at = edit_line_end(t, at);
		else if (t->text[at] == '&' || t->text[at] == '!')
			at += strcspn(t->text + at, " \r\n");
		else
			at++;
	return at;
}

static int read_list(struct reader *rd, struct edit_node *list, unsigned depth)
{
	for (;;) {
		HD_AUTO(yaml_event_delete) yaml_event_t ev = { 0 };
		size_t from = list->last != NULL ? list->last->end
						 : list->begin;
		struct edit_node *item;
		int r = next(rd, &ev);

		if (r < 0)
			return r;
		if (ev.type == YAML_SEQUENCE_END_EVENT) {
			list->end = list->flow ? place(rd->t, &ev.end_mark)
				    : list->last != NULL ? list->last->end
							 : list->begin;
			return 0;
		}
		r = read_node(rd, &ev, depth, &item);
		if (r < 0)
			return r;
		if (!list->flow)
			item->dash = find_dash(rd->t, from, item->begin);
		add_child(list, item);
	}
}

static int check_key(struct reader *rd, const struct edit_node *map,
		     const yaml_event_t *ev)
{
	const char *key = (const char *)ev->data.scalar.value;

	if (ev->type != YAML_SCALAR_EVENT ||
	    strlen(key) != ev->data.scalar.length)
		return fail(rd, ev->start_mark.line, "a key must be a word");
	if (map->n >= KEYS_MAX)
		return fail(rd, ev->start_mark.line, "too many keys");
	for (const struct edit_node *i = map->first; i != NULL; i = i->next)
		if (strcmp(i->key, key) == 0)
			return hd_error_set(rd->err, -EINVAL,
					    "%s:%zu: `%s` is there twice",
					    rd->t->name,
					    ev->start_mark.line + 1, key);
	return 0;
}

static int read_pair(struct reader *rd, struct edit_node *map,
		     const yaml_event_t *key, unsigned depth)
{
	HD_AUTO(yaml_event_delete) yaml_event_t ev = { 0 };
	size_t begin = place(rd->t, &key->start_mark);
	size_t end = place(rd->t, &key->end_mark);
	struct edit_node *value;
	int r = check_key(rd, map, key);

	if (r == 0)
		r = add_word(rd->t, begin, end);
	if (r == 0)
		r = next(rd, &ev);
	if (r == 0)
		r = read_node(rd, &ev, depth, &value);
	if (r < 0)
		return r;
	value->key = strdup((const char *)key->data.scalar.value);
	value->key_begin = begin;
	value->key_end = end;
	add_child(map, value);
	return value->key != NULL ? 0 : -ENOMEM;
}

static int read_map(struct reader *rd, struct edit_node *map, unsigned depth)
{
	for (;;) {
		HD_AUTO(yaml_event_delete) yaml_event_t ev = { 0 };
		int r = next(rd, &ev);

		if (r < 0)
			return r;
		if (ev.type == YAML_MAPPING_END_EVENT) {
			map->end = map->flow ? place(rd->t, &ev.end_mark)
				   : map->last != NULL ? map->last->end
						       : map->begin;
			return 0;
		}
		r = read_pair(rd, map, &ev, depth);
		if (r < 0)
			return r;
	}
}

static int read_node(struct reader *rd, const yaml_event_t *ev, unsigned depth,
		     struct edit_node **ret)
{
	struct edit_node *n = *ret = new_node(rd->t, ev);

	if (n == NULL)
		return -ENOMEM;
	if (depth > DEPTH_MAX || ++rd->t->n_nodes > NODES_MAX)
		return fail(rd, ev->start_mark.line, "nested too deeply, or "
						     "too many values");
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		return read_scalar(rd, n, ev);
	case YAML_SEQUENCE_START_EVENT:
		n->type = EDIT_LIST;
		n->anchor = ev->data.sequence_start.anchor != NULL;
		n->flow = ev->data.sequence_start.style ==
			  YAML_FLOW_SEQUENCE_STYLE;
		return read_list(rd, n, depth + 1);
	case YAML_MAPPING_START_EVENT:
		n->type = EDIT_MAP;
		n->anchor = ev->data.mapping_start.anchor != NULL;
		n->flow = ev->data.mapping_start.style ==
			  YAML_FLOW_MAPPING_STYLE;
		return read_map(rd, n, depth + 1);
	case YAML_ALIAS_EVENT:
		n->type = EDIT_ALIAS;
		rd->t->n_aliases++;
		n->text = strdup((const char *)ev->data.alias.anchor);
		return n->text == NULL ? -ENOMEM
				       : add_word(rd->t, n->begin, n->end);
	default:
		return fail(rd, ev->start_mark.line, "this is not YAML");
	}
}

static int read_all(struct reader *rd)
{
	yaml_event_type_t type;

	do {
		HD_AUTO(yaml_event_delete) yaml_event_t ev = { 0 };
		int r = next(rd, &ev);

		type = ev.type;
		if (r == 0 && type == YAML_DOCUMENT_START_EVENT &&
		    rd->t->root != NULL)
			r = fail(rd, ev.start_mark.line, "a second document");
		if (r == 0 && type != YAML_STREAM_START_EVENT &&
		    type != YAML_STREAM_END_EVENT &&
		    type != YAML_DOCUMENT_START_EVENT &&
		    type != YAML_DOCUMENT_END_EVENT)
			r = read_node(rd, &ev, 0, &rd->t->root);
		if (r < 0)
			return r;
	} while (type != YAML_STREAM_END_EVENT);
	return 0;
}

int edit_parse(struct edit_text *t, const char *text, const char *name,
	       struct hd_error *err)
{
	struct reader rd = { .t = t, .err = err };
	int r;

	*t = (struct edit_text){ .text = text,
				 .name = name,
				 .len = strlen(text) };
	r = count_bytes(t);
	if (r == 0 && !yaml_parser_initialize(&rd.yaml))
		r = -ENOMEM;
	if (r == 0) {
		size_t skip = t->n_offsets > 0 ? t->offsets[0] : t->len;

		yaml_parser_set_encoding(&rd.yaml, YAML_UTF8_ENCODING);
		yaml_parser_set_input_string(&rd.yaml,
					     (const yaml_char_t *)text + skip,
					     t->len - skip);
		r = read_all(&rd);
		yaml_parser_delete(&rd.yaml);
	}
	return r == -ENOMEM ? hd_error_set(err, r, "out of memory") : r;
}

void edit_free(struct edit_text *t)
{
	while (t->all != NULL) {
		struct edit_node *n = t->all;

		t->all = n->all;
		free(n->text);
		free(n->key);
		free(n);
	}
	free(t->offsets);
	free(t->words);
	*t = (struct edit_text){ .text = NULL };
}
