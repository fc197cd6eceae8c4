/* SPDX-License-Identifier: MIT */
/* tools/hdctl/edit/edit.c - a change of a text, and whether it is the one that
 * was meant. */
#include "tools/hdctl/edit/edit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- the tree ---- */

static json_t *scalar_json(const struct edit_node *n)
{
	json_t *alias;

	if (n->type != EDIT_ALIAS)
		return n->null ? json_null() : json_string(n->text);
	alias = json_object(); /* like nothing else */
	json_object_set_new(alias, "*", json_string(n->text));
	return alias;
}

static json_t *list_json(const struct edit_node *n, const struct edit_change *c)
{
	json_t *list = json_array();

	for (const struct edit_node *i = n->first; i != NULL; i = i->next)
		if (c == NULL || c->at != i || c->kind != EDIT_OMIT)
			json_array_append_new(list, edit_json(i, c));
	if (c != NULL && c->at == n && c->kind == EDIT_APPEND)
		json_array_append(list, c->value);
	return list;
}

static json_t *map_json(const struct edit_node *n, const struct edit_change *c)
{
	json_t *map = json_object();

	for (const struct edit_node *i = n != NULL ? n->first : NULL; i != NULL;
	     i = i->next)
		if (c == NULL || c->at != i || c->kind != EDIT_OMIT)
			json_object_set_new(map, i->key, edit_json(i, c));
	if (c != NULL && c->at == n && c->kind == EDIT_PUT)
		json_object_set(map, c->key, c->value);
	return map;
}

json_t *edit_json(const struct edit_node *n, const struct edit_change *c)
{
	bool here = c != NULL && c->at == n;

	if (here && c->kind == EDIT_REPLACE)
		return json_incref(c->value);
	if (n == NULL || n->type == EDIT_MAP || (here && c->kind == EDIT_PUT) ||
	    (n->up == NULL && n->null))
		return map_json(n, c);
	return n->type == EDIT_LIST ? list_json(n, c) : scalar_json(n);
}

/* ---- values ---- */

static json_t *flow_json(const char *value, struct hd_error *err)
{
	struct edit_text t;
	json_t *v = NULL;
	int r = edit_parse(&t, value, "", err);

	if (r < 0 || (t.root == NULL || t.n_aliases > 0 ||
		       strpbrk(value, "\r\n") != NULL ||
		       edit_comment(&t, 0, t.len) > 0 ||
		       (!t.root->flow && t.root->type != EDIT_SCALAR)))
		hd_error_set(err, -EINVAL,
			     "the value is no list, mapping or text of YAML in "
			     "one line: %s",
			     value);
	else
		v = edit_json(t.root, NULL);
	edit_free(&t);
	return v;
}

/* @ret_flow  as it is written; free() */
static json_t *value_json(const char *value, char **ret_flow,
			  struct hd_error *err)
{
	bool is_yaml = *value != '\0' && strchr("[{\"'", *value) != NULL;
	json_t *v = is_yaml ? flow_json(value, err) : json_string(value);
	size_t n = 0;
	FILE *out;

	if (v == NULL && !is_yaml)
		hd_error_set(err, -EINVAL, "the value is not UTF-8");
	if (v == NULL)
		return NULL;
	out = open_memstream(ret_flow, &n);
	if (out != NULL && is_yaml)
		fputs(value, out);
	else if (out != NULL)
		edit_quote(out, value);
	if (out != NULL && fclose(out) == 0)
		return v;
	json_decref(v);
	hd_error_set(err, -ENOMEM, "out of memory");
	return NULL;
}

/* ---- the change ---- */

static char *splice(const struct edit_text *t, const struct edit_change *c)
{
	char *text = NULL;

	return asprintf(&text, "%.*s%s%s", (int)c->begin, t->text, c->put,
			t->text + c->end) < 0
		       ? NULL
		       : text;
}

static bool has_anchor(const struct edit_node *n)
{
	if (n->anchor)
		return true;
	for (const struct edit_node *i = n->first; i != NULL; i = i->next)
		if (has_anchor(i))
			return true;
	return false;
}

static bool takes_anchor(const struct edit_text *t, const struct edit_change *c)
{
	bool takes = c->kind == EDIT_REPLACE || c->kind == EDIT_OMIT;

	return takes && t->n_aliases > 0 && c->at != NULL && has_anchor(c->at);
}

static int by_hand(const struct edit_text *t, const struct edit_change *c,
		   const char *why, struct hd_error *err)
{
	return hd_error_set(err, -EINVAL,
			    "%s:%u: %s; change this place with an editor, then "
			    "go on",
			    t->name, edit_line(t->text, c->begin), why);
}

/* Nothing else may have become different. */
static int check(const struct edit_text *t, const struct edit_change *c,
		 const char *text, struct hd_error *err)
{
	struct edit_text new = { .text = NULL };
	struct hd_error why = { "" };
	json_t *want = edit_json(t->root, c), *is = NULL;
	bool same = false;

	if (edit_parse(&new, text, t->name, &why) == 0) {
		is = edit_json(new.root, NULL);
		same = json_equal(want, is);
	}
	edit_free(&new);
	json_decref(want);
	json_decref(is);
	if (takes_anchor(t, c))
		return by_hand(t, c, "another place refers to what is here",
			       err);
	return same ? 0
		    : by_hand(t, c, "it is written in a way that hdctl does "
			      "not change", err);
}

static void tell(const struct edit_text *t, const struct edit_change *c,
		 const char *text, struct edit_done *ret)
{
	size_t lead = strspn(c->put, "\n");

	ret->first_line = edit_line(text, c->begin + lead);
	ret->last_line = edit_line(text, c->begin + strlen(c->put));
	ret->lost_line = edit_comment(t, c->begin, c->end);
}

static int find_change(const struct edit_text *t, const struct edit_wish *w,
		       struct edit_change *c, struct hd_error *err)
{
	struct edit_path p;
	char *flow = NULL;
	json_t *value = NULL;
	int r = edit_path_parse(&p, w->path, err);

	if (r == 0 && t->root != NULL && t->root->type != EDIT_MAP &&
	    !t->root->null)
		r = hd_error_set(err, -EINVAL, "%s: no options are in it",
				 t->name);
	if (r == 0 && w->value != NULL) {
		value = value_json(w->value, &flow, err);
		r = value == NULL ? -EINVAL : 0;
	}
	if (r == 0 && w->op == EDIT_DELETE)
		r = edit_delete(t, &p, value, c, err);
	else if (r == 0)
		r = edit_set(t, &p, w->op == EDIT_ADD, flow, value, c, err);
	json_decref(value);
	free(flow);
	return r == -ENOMEM ? hd_error_set(err, r, "out of memory") : r;
}

char *edit_apply(const char *text, const char *name, const struct edit_wish *w,
		 struct edit_done *ret, struct hd_error *err)
{
	struct edit_change c = { .put = NULL };
	struct edit_text t;
	char *new = NULL;
	int r = edit_parse(&t, text, name, err);

	if (r == 0)
		r = find_change(&t, w, &c, err);
	if (r == 0)
		new = splice(&t, &c);
	if (r == 0 && new == NULL)
		hd_error_set(err, -ENOMEM, "out of memory");
	if (new != NULL && check(&t, &c, new, err) < 0) {
		free(new);
		new = NULL;
	}
	if (new != NULL)
		tell(&t, &c, new, ret);
	json_decref(c.value);
	free(c.key);
	free(c.put);
	edit_free(&t);
	return new;
}

int edit_depth(const char *text, const char *name, const char *path,
	       size_t *ret_parts, unsigned *ret_line, struct hd_error *err)
{
	struct edit_node *n = NULL;
	struct edit_path p;
	struct edit_text t = { .text = NULL };
	size_t used = 0;
	int r = edit_path_parse(&p, path, err);

	if (r == 0)
		r = edit_parse(&t, text, name, err);
	if (r == 0)
		used = edit_find(&t, &p, &n);
	if (r == 0 && n != NULL)
		*ret_line = edit_line(text, n->key != NULL ? n->key_begin
							   : n->begin);
	*ret_parts = p.n;
	edit_free(&t);
	return r < 0 ? r : (int)used;
}

json_t *edit_value(const char *text, const char *path)
{
	struct edit_node *n = NULL;
	struct hd_error err;
	struct edit_path p;
	struct edit_text t;
	json_t *v = NULL;

	if (edit_parse(&t, text, "", &err) == 0 &&
	    edit_path_parse(&p, path, &err) == 0 &&
	    edit_find(&t, &p, &n) == p.n)
		v = edit_json(n, NULL);
	edit_free(&t);
	return v;
}
