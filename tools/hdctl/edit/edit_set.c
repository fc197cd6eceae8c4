/* SPDX-License-Identifier: MIT */
/* tools/hdctl/edit/edit_set.c - what is cut out and put in, so that an option
 * has a value. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hdctl/edit/edit.h"

/* ---- words ---- */

/* Text that is itself without quotes, wherever it stands. */
static bool is_plain(const char *word)
{
	size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-");

	return n > 0 && word[n] == '\0' && word[0] != '-' &&
	       strcmp(word, "null") != 0;
}

void edit_quote(FILE *out, const char *word)
{
	if (is_plain(word)) {
		fputs(word, out);
		return;
	}
	putc('"', out);
	for (; *word != '\0'; word++)
		if (*word == '"' || *word == '\\')
			fprintf(out, "\\%c", *word);
		else if ((unsigned char)*word < ' ' || *word == 0x7f)
			fprintf(out, "\\x%02x", (unsigned)*word);
		else
			putc(*word, out);
	putc('"', out);
}

/* ---- a value in place of another ---- */

/* What is there begins in the key's line, and is one piece. */
static bool is_in_line(const struct edit_node *n)
{
	return n->flow || n->type == EDIT_SCALAR || n->type == EDIT_ALIAS;
}

static char *join(const char *a, const char *b, const char *c)
{
	char *text = NULL;

	return asprintf(&text, "%s%s%s", a, b, c) < 0 ? NULL : text;
}

static void replace(const struct edit_text *t, const struct edit_node *n,
		    const char *flow, json_t *value, struct edit_change *c)
{
	bool in_line = is_in_line(n);

	c->at = n;
	c->kind = EDIT_REPLACE;
	c->value = json_incref(value);
	c->begin = in_line || n->up == NULL ? n->begin : edit_after_key(t, n);
	c->end = HD_MAX(edit_tail(t, n), c->begin);
	c->put = join(!in_line || n->begin == n->end ? " " : "", flow, "");
}

/* ---- a key that is not there ---- */

/* "log:\n  level: debug\n", or "log: {level: debug}". */
static char *keys_text(const struct edit_step *v, size_t n, const char *flow,
		       bool in_line, size_t indent)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && in_line)
			fputs(" {", out);
		else if (i > 0)
			putc('\n', out);
		if (!in_line)
			fprintf(out, "%*s", (int)(indent + 2 * i), "");
		edit_quote(out, v[i].word);
		putc(':', out);
	}
	fprintf(out, " %s", flow);
	for (size_t i = 1; i < n && in_line; i++)
		putc('}', out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static json_t *keys_json(const struct edit_step *v, size_t n, json_t *value)
{
	json_t *inner = json_incref(value);

	while (n-- > 1) {
		json_t *outer = json_object();

		json_object_set_new(outer, v[n].word, inner);
		inner = outer;
	}
	return inner;
}

struct place {
	size_t at, indent;
	const char *before, *behind;
	bool in_line;
};

/* Behind the last key of a map. */
static struct place behind_last(const struct edit_text *t,
				const struct edit_node *map)
{
	size_t at = edit_line_end(t, edit_tail(t, map->last));
	size_t first = map->first->key_begin;

	return (struct place){ .at = at,
			       .indent = first - edit_line_begin(t, first),
			       .before = "\n",
			       .behind = "" };
}

/* A file with nothing but comments. */
static struct place at_end(const struct edit_text *t)
{
	bool whole = t->len == 0 || t->text[t->len - 1] == '\n';

	return (struct place){ .at = t->len,
			       .before = whole ? "" : "\n",
			       .behind = "\n" };
}

/* Below a key without a value: a comment in its line stays there. */
static struct place below_key(const struct edit_text *t,
			      const struct edit_node *n)
{
	size_t begin = edit_line_begin(t, n->key_begin);

	return (struct place){ .at = edit_line_end(t, n->key_end),
			       .indent = n->key_begin - begin + 2,
			       .before = "\n",
			       .behind = "" };
}

static bool is_in_flow(const struct edit_node *n)
{
	for (; n != NULL; n = n->up)
		if (n->flow)
			return true;
	return false;
}

static struct place place_of(const struct edit_text *t,
			     const struct edit_node *map)
{
	if (map == NULL || (map->up == NULL && map->null && map->begin ==
							       map->end))
		return at_end(t);
	if (map->type == EDIT_SCALAR && map->key != NULL &&
	    map->begin == map->end && !is_in_flow(map))
		return below_key(t, map);
	if (map->type == EDIT_SCALAR)
		return (struct place){ .at = map->begin,
				       .before = map->begin == map->end ? " {"
									: "{",
				       .behind = "}",
				       .in_line = true };
	if (!map->flow)
		return behind_last(t, map);
	return (struct place){
		.at = map->n > 0 ? map->last->end : map->end - 1,
		.before = map->n > 0 ? ", " : "",
		.behind = "",
		.in_line = true,
	};
}

static int put_keys(const struct edit_text *t, const struct edit_node *map,
		    const struct edit_step *v, size_t n, const char *flow,
		    json_t *value, struct edit_change *c)
{
	const struct place p = place_of(t, map);
	char *keys = keys_text(v, n, flow, p.in_line, p.indent);

	c->at = map;
	c->kind = EDIT_PUT;
	c->key = strdup(v[0].word);
	c->value = keys_json(v, n, value);
	c->begin = p.at;
	c->end = map != NULL && map->type == EDIT_SCALAR && p.in_line
			 ? map->end
			 : p.at;
	c->put = keys != NULL ? join(p.before, keys, p.behind) : NULL;
	free(keys);
	return c->put != NULL && c->key != NULL ? 0 : -ENOMEM;
}

/* ---- one more item ---- */

static bool has_item(const struct edit_node *list, const json_t *value)
{
	for (const struct edit_node *i = list->first; i != NULL; i = i->next) {
		json_t *item = edit_json(i, NULL);
		bool same = json_equal(item, value);

		json_decref(item);
		if (same)
			return true;
	}
	return false;
}

static void append_flow(const struct edit_node *list, const char *flow,
			struct edit_change *c)
{
	c->begin = list->n > 0 ? list->last->end : list->end - 1;
	c->put = join(list->n > 0 ? ", " : "", flow, "");
}

static void append_line(const struct edit_text *t, const struct edit_node *list,
			const char *flow, struct edit_change *c)
{
	size_t dash = list->first->dash;
	size_t indent = dash - edit_line_begin(t, dash);

	c->begin = edit_line_end(t, edit_tail(t, list->last));
	if (asprintf(&c->put, "\n%*s- %s", (int)indent, "", flow) < 0)
		c->put = NULL;
}

/* A word becomes a list of two. */
static void make_list(const struct edit_text *t, const struct edit_node *n,
		      const char *flow, json_t *value, struct edit_change *c)
{
	json_t *both = json_array();
	char *list = NULL;
	int r;

	if (!n->null)
		json_array_append_new(both, edit_json(n, NULL));
	json_array_append(both, value);
	r = n->null ? asprintf(&list, "[%s]", flow)
		    : asprintf(&list, "[%.*s, %s]",
			       (int)(edit_tail(t, n) - n->begin),
			       t->text + n->begin, flow);
	if (r >= 0)
		replace(t, n, list, both, c);
	free(r >= 0 ? list : NULL);
	json_decref(both);
}

static int append(const struct edit_text *t, const struct edit_node *n,
		  const char *flow, json_t *value, struct edit_change *c,
		  struct hd_error *err)
{
	if (n->type == EDIT_MAP || n->type == EDIT_ALIAS)
		return hd_error_set(err, -EINVAL,
				    "%s:%u: `%s` is no list", t->name,
				    edit_line(t->text, n->begin),
				    n->key != NULL ? n->key : "the item");
	if (n->type == EDIT_SCALAR) {
		make_list(t, n, flow, value, c);
		return c->put != NULL ? 0 : -ENOMEM;
	}
	if (has_item(n, value))
		return hd_error_set(err, -EEXIST, "%s:%u: it is there already",
				    t->name, edit_line(t->text, n->begin));
	c->at = n;
	c->kind = EDIT_APPEND;
	c->value = json_incref(value);
	if (n->flow)
		append_flow(n, flow, c);
	else
		append_line(t, n, flow, c);
	c->end = c->begin;
	return c->put != NULL ? 0 : -ENOMEM;
}

/* ---- which of them ---- */

static int no_section(const struct edit_text *t, const struct edit_node *n,
		      const struct edit_step *step, struct hd_error *err)
{
	unsigned line = n != NULL ? edit_line(t->text, n->begin) : 1;

	if (step->kind != EDIT_KEY)
		return hd_error_set(err, -ENOENT,
				    "%s:%u: there is no item [%s%s%.*zu]; see "
				    "what there is with: show; a new one comes "
				    "with: add",
				    t->name, line, step->match, step->word,
				    step->kind == EDIT_INDEX ? 1 : 0,
				    step->index);
	return hd_error_set(err, -ENOTDIR, "%s:%u: `%s` cannot stand in %s",
			    t->name, line, step->word,
			    n->type == EDIT_LIST ? "a list: name an item, as "
						   "in listen[0].addr"
						 : "what has a value itself");
}

int edit_set(const struct edit_text *t, const struct edit_path *p, bool add,
	     const char *flow, json_t *value, struct edit_change *c,
	     struct hd_error *err)
{
	struct edit_node *n;
	size_t used = edit_find(t, p, &n);
	bool is_map = n == NULL || n->type == EDIT_MAP || n->null;
	char *list = NULL;
	json_t *items;
	int r;

	if (used == p->n && add)
		return append(t, n, flow, value, c, err);
	if (used == p->n) {
		replace(t, n, flow, value, c);
		return c->put != NULL ? 0 : -ENOMEM;
	}
	for (size_t i = used; i < p->n; i++)
		if (p->v[i].kind != EDIT_KEY || !is_map)
			return no_section(t, n, &p->v[i], err);
	if (!add)
		return put_keys(t, n, p->v + used, p->n - used, flow, value, c);
	if (asprintf(&list, "[%s]", flow) < 0)
		return -ENOMEM;
	items = json_array();
	json_array_append(items, value);
	r = put_keys(t, n, p->v + used, p->n - used, list, items, c);
	json_decref(items);
	free(list);
	return r;
}
