/* SPDX-License-Identifier: MIT */
/* core/conf/conf_yaml.c - the only part that names libyaml: events to nodes.
 *
 * Aliases are refused: they buy a configuration of this size nothing, and a
 * few lines of them stand for gigabytes. */
#include "core/conf/conf_node.h"
#include <errno.h>
#include <string.h>
#include <yaml.h>

struct reader {
	yaml_parser_t yaml;
	struct hd_arena *arena;
	const char *file, *text;
	size_t len;
	unsigned nodes;
	struct hd_error *err;
};

static int fail(struct reader *rd, unsigned line, const char *why)
{
	return hd_error_set(rd->err, -EINVAL, "%s:%u: %s", rd->file, line, why);
}

static unsigned line_of(const yaml_event_t *ev)
{
	return (unsigned)ev->start_mark.line + 1;
}

/* The remedy for the two slips that libyaml describes worst. */
static const char *hint(const struct reader *rd, unsigned line)
{
	const char *p = rd->text, *end = rd->text + rd->len, *eol;

	while (--line > 0 && p != NULL)
		if ((p = memchr(p, '\n', (size_t)(end - p))) != NULL)
			p++;
	if (p == NULL || p == end)
		return "";
	eol = memchr(p, '\n', (size_t)(end - p));
	eol = eol == NULL ? end : eol;
	if (memchr(p, '\t', (size_t)(eol - p)) != NULL)
		return "; indent with blanks, not with tabs";
	if (memmem(p, (size_t)(eol - p), "]:", 2) != NULL)
		return "; an address with brackets needs quotes: \"[::]:443\"";
	return "";
}

static unsigned line_at(const struct reader *rd, size_t offset)
{
	unsigned line = 1;

	for (size_t i = 0; i < HD_MIN(offset, rd->len); i++)
		line += rd->text[i] == '\n';
	return line;
}

static int fail_yaml(struct reader *rd)
{
	const yaml_parser_t *y = &rd->yaml;
	bool bytes = y->error == YAML_READER_ERROR; /* has no mark */
	unsigned line = bytes ? line_at(rd, y->problem_offset)
			      : (unsigned)y->problem_mark.line + 1;

	if (y->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	return hd_error_set(rd->err, -EINVAL, "%s:%u: not YAML: %s%s", rd->file,
			    line, y->problem, hint(rd, line));
}

/* The next event; the caller deletes it. */
static int next(struct reader *rd, yaml_event_t *ret_ev)
{
	return yaml_parser_parse(&rd->yaml, ret_ev) ? 0 : fail_yaml(rd);
}

static int text_of(struct reader *rd, const yaml_event_t *ev,
		   const char **ret_text)
{
	const char *s = (const char *)ev->data.scalar.value;
	size_t len = ev->data.scalar.length;

	if (memchr(s, '\0', len) != NULL)
		return fail(rd, line_of(ev), "a text contains a NUL byte");
	*ret_text = hd_arena_text(rd->arena, s, len);
	return *ret_text == NULL ? -ENOMEM : 0;
}

static int read_node(struct reader *rd, const yaml_event_t *ev, unsigned depth,
		     struct hd_node **ret);

static int read_list(struct reader *rd, struct hd_node *list, unsigned depth)
{
	for (;;) {
		HD_AUTO(yaml_event_delete) yaml_event_t ev = { 0 };
		struct hd_node *item;
		int r = next(rd, &ev);

		if (r < 0 || ev.type == YAML_SEQUENCE_END_EVENT)
			return r;
		r = read_node(rd, &ev, depth, &item);
		if (r < 0)
			return r;
		hd_node_add(list, item);
	}
}

static int check_key(struct reader *rd, const struct hd_node *map,
		     const char *key, unsigned line)
{
	const struct hd_node dup = { .key = key,
				     .file = rd->file,
				     .line = line };

	if (map->n >= HD_CONF_KEYS_MAX)
		return fail(rd, line, "too many keys in one mapping");
	for (const struct hd_node *i = map->first; i != NULL; i = i->next)
		if (strcmp(i->key, key) == 0)
			return hd_node_twice(i, &dup, rd->err);
	return 0;
}

static int read_value(struct reader *rd, unsigned depth, struct hd_node **ret)
{
	HD_AUTO(yaml_event_delete) yaml_event_t ev = { 0 };
	int r = next(rd, &ev);

	return r < 0 ? r : read_node(rd, &ev, depth, ret);
}

static int read_map(struct reader *rd, struct hd_node *map, unsigned depth)
{
	for (;;) {
		HD_AUTO(yaml_event_delete) yaml_event_t ev = { 0 };
		struct hd_node *value;
		const char *key;
		int r = next(rd, &ev);

		if (r < 0 || ev.type == YAML_MAPPING_END_EVENT)
			return r;
		if (ev.type != YAML_SCALAR_EVENT)
			return fail(rd, line_of(&ev), "a key must be a word");
		r = text_of(rd, &ev, &key);
		if (r == 0)
			r = check_key(rd, map, key, line_of(&ev));
		if (r == 0)
			r = read_value(rd, depth, &value);
		if (r < 0)
			return r;
		value->key = key;
		value->line = line_of(&ev);
		hd_node_add(map, value);
	}
}

static int read_scalar(struct reader *rd, struct hd_node *node,
		       const yaml_event_t *ev)
{
	node->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	return text_of(rd, ev, &node->text);
}

static int read_node(struct reader *rd, const yaml_event_t *ev, unsigned depth,
		     struct hd_node **ret)
{
	struct hd_node *node;

	if (depth > HD_CONF_DEPTH_MAX)
		return fail(rd, line_of(ev), "nested too deeply");
	if (++rd->nodes > HD_CONF_NODES_MAX)
		return fail(rd, line_of(ev), "too many values");
	*ret = node =
		hd_node_new(rd->arena, HD_NODE_SCALAR, rd->file, line_of(ev));
	if (node == NULL)
		return -ENOMEM;
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		return read_scalar(rd, node, ev);
	case YAML_SEQUENCE_START_EVENT:
		node->type = HD_NODE_LIST;
		return read_list(rd, node, depth + 1);
	case YAML_MAPPING_START_EVENT:
		node->type = HD_NODE_MAP;
		return read_map(rd, node, depth + 1);
	default:
		return fail(rd, line_of(ev),
			    "aliases are not supported; write the value out");
	}
}

/* The top of the one document; an empty file is an empty mapping. */
static int read_top(struct reader *rd, const yaml_event_t *ev,
		    struct hd_node **ret)
{
	int r = read_node(rd, ev, 0, ret);

	if (r < 0)
		return r;
	if (hd_node_is_null(*ret))
		(*ret)->type = HD_NODE_MAP;
	if ((*ret)->type != HD_NODE_MAP)
		return fail(rd, line_of(ev), "expected lines of `key: value`");
	return 0;
}

static int read_stream(struct reader *rd, struct hd_node **ret)
{
	yaml_event_type_t type;

	do {
		HD_AUTO(yaml_event_delete) yaml_event_t ev = { 0 };
		int r = next(rd, &ev);

		if (r < 0)
			return r;
		type = ev.type;
		if (type == YAML_STREAM_START_EVENT ||
		    type == YAML_STREAM_END_EVENT ||
		    type == YAML_DOCUMENT_END_EVENT)
			continue;
		if (type == YAML_DOCUMENT_START_EVENT && *ret != NULL)
			return fail(rd, line_of(&ev),
				    "a second document; only one is read");
		if (type != YAML_DOCUMENT_START_EVENT)
			r = read_top(rd, &ev, ret);
		if (r < 0)
			return r;
	} while (type != YAML_STREAM_END_EVENT);
	return 0;
}

int hd_yaml_parse(struct hd_arena *arena, const char *text, size_t len,
		  const char *name, struct hd_node **ret_root,
		  struct hd_error *err)
{
	struct reader rd = { .arena = arena,
			     .file = name,
			     .text = text,
			     .len = len,
			     .err = err };
	struct hd_node *root = NULL;
	int r;

	if (len > HD_CONF_FILE_MAX_BYTES)
		return hd_error_set(err, -EINVAL, "%s: larger than 1 MiB",
				    name);
	if (!yaml_parser_initialize(&rd.yaml))
		return hd_error_set(err, -ENOMEM, "out of memory");
	yaml_parser_set_input_string(&rd.yaml, (const unsigned char *)text,
				     len);
	r = read_stream(&rd, &root);
	yaml_parser_delete(&rd.yaml);
	if (r == 0 && root == NULL)
		root = hd_node_new(arena, HD_NODE_MAP, name, 1);
	if (r == -ENOMEM || (r == 0 && root == NULL))
		return hd_error_set(err, -ENOMEM, "%s: out of memory", name);
	*ret_root = root;
	return r;
}
