/* SPDX-License-Identifier: MIT */
/* tools/hdctl/edit/edit_delete.c - what is cut out, so that an option is not
 * set. A section without options goes, too. */
#include <errno.h>
#include <string.h>

#include "tools/hdctl/edit/edit.h"

static size_t begin_of(const struct edit_node *n)
{
	if (n->key != NULL)
		return n->key_begin;
	return n->up->flow ? n->begin : n->dash;
}

static bool is_first_in_line(const struct edit_text *t, size_t at)
{
	size_t begin = edit_line_begin(t, at);

	return begin + strspn(t->text + begin, " ") == at;
}

static size_t next_line(const struct edit_text *t, size_t at)
{
	at = edit_line_end(t, at);
	at += t->text[at] == '\r';
	return at + (t->text[at] == '\n');
}

static void cut_flow(const struct edit_node *n, struct edit_change *c)
{
	c->begin = begin_of(n);
	c->end = n->end;
	if (n->next != NULL)
		c->end = begin_of(n->next);
	else if (n->prev != NULL)
		c->begin = n->prev->end;
}

/* "- key: value": the dash is another's. */
static void cut_lines(const struct edit_text *t, const struct edit_node *n,
		      struct edit_change *c)
{
	size_t begin = begin_of(n);
	bool first = is_first_in_line(t, begin);

	c->begin = first ? edit_line_begin(t, begin) : begin;
	c->end = first || n->next == NULL ? next_line(t, edit_tail(t, n))
					  : begin_of(n->next);
}

static struct edit_node *find_item(struct edit_node *list, const json_t *item)
{
	for (struct edit_node *i = list->first; i != NULL; i = i->next) {
		json_t *value = edit_json(i, NULL);
		bool same = json_equal(value, item);

		json_decref(value);
		if (same)
			return i;
	}
	return NULL;
}

static int not_there(const struct edit_text *t, const struct edit_path *p,
		     size_t used, struct hd_error *err)
{
	const struct edit_step *s = &p->v[HD_MIN(used, p->n - 1)];

	return hd_error_set(err, -ENOENT, "%s: %s%s is not set there", t->name,
			    s->kind == EDIT_KEY ? "" : "the item ",
			    s->kind == EDIT_INDEX ? "of that number" : s->word);
}

int edit_delete(const struct edit_text *t, const struct edit_path *p,
		const json_t *item, struct edit_change *c,
		struct hd_error *err)
{
	struct edit_node *n;
	size_t used = edit_find(t, p, &n);

	if (used < p->n || n == NULL)
		return not_there(t, p, used, err);
	if (item != NULL)
		n = find_item(n, item);
	if (n == NULL)
		return hd_error_set(err, -ENOENT, "%s: the list has no such "
				    "item", t->name);
	while (n->up->n == 1 && n->up->up != NULL)
		n = n->up;
	c->at = n;
	c->kind = EDIT_OMIT;
	if (n->up->flow)
		cut_flow(n, c);
	else
		cut_lines(t, n, c);
	c->put = strdup("");
	return c->put != NULL ? 0 : -ENOMEM;
}
