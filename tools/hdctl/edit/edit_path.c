/* SPDX-License-Identifier: MIT */
/* tools/hdctl/edit/edit_path.c - which option: log.level, listen[0].addr,
 * wg.peers[name=alice].endpoint, load_module[stun]. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hdctl/edit/edit.h"

static int bad(const char *text, const char *why, struct hd_error *err)
{
	return hd_error_set(err, -EINVAL,
			    "%s: %s; expected as log.level, listen[0].addr or "
			    "wg.peers[name=alice]",
			    text, why);
}

static struct edit_step *add(struct edit_path *p)
{
	return p->n < EDIT_STEPS_MAX ? &p->v[p->n++] : NULL;
}

static bool copy(char to[EDIT_WORD_BYTES], const char *from, size_t n)
{
	if (n >= EDIT_WORD_BYTES)
		return false;
	memcpy(to, from, n);
	to[n] = '\0';
	return true;
}

static bool parse_bracket(struct edit_step *s, const char *text, size_t n)
{
	const char *eq = memchr(text, '=', n);
	size_t digits = strspn(text, "0123456789");

	*s = (struct edit_step){ .kind = EDIT_MATCH };
	if (digits == n && n > 0 && n < 9) {
		s->kind = EDIT_INDEX;
		s->index = strtoul(text, NULL, 10);
		return true;
	}
	if (eq == NULL)
		return n > 0 && copy(s->word, text, n);
	return eq > text && copy(s->match, text, (size_t)(eq - text)) &&
	       copy(s->word, eq + 1, (size_t)(text + n - eq - 1));
}

/* Returns behind it; NULL: it is none. */
static const char *parse_step(struct edit_path *p, const char *at)
{
	struct edit_step *s = add(p);
	const char *end;

	if (s == NULL)
		return NULL;
	*s = (struct edit_step){ .kind = EDIT_KEY };
	if (*at == '[') {
		end = strchr(at, ']');
		return end != NULL &&
				       parse_bracket(s, at + 1,
						     (size_t)(end - at - 1))
			       ? end + 1
			       : NULL;
	}
	if (*at == '"') { /* a key with a dot in it */
		end = strchr(at + 1, '"');
		return end != NULL &&
				       copy(s->word, at + 1,
					    (size_t)(end - at - 1))
			       ? end + 1
			       : NULL;
	}
	end = at + strcspn(at, ".[");
	return end > at && copy(s->word, at, (size_t)(end - at)) ? end : NULL;
}

int edit_path_parse(struct edit_path *p, const char *text,
		    struct hd_error *err)
{
	const char *at = text;

	p->n = 0;
	if (*at == '[')
		return bad(text, "it begins with a bracket", err);
	while (at != NULL && *at != '\0') {
		at = parse_step(p, at);
		if (at != NULL && *at == '.' && at[1] != '\0')
			at++;
		else if (at != NULL && *at != '\0' && *at != '[')
			at = NULL;
	}
	return at != NULL && p->n > 0 ? 0
				      : bad(text, "not an option's name", err);
}

static bool has(const struct edit_node *map, const char *key, const char *text)
{
	for (const struct edit_node *i = map->first; i != NULL; i = i->next)
		if (i->key != NULL && strcmp(i->key, key) == 0)
			return i->type == EDIT_SCALAR &&
			       strcmp(i->text, text) == 0;
	return false;
}

static bool is_meant(const struct edit_node *n, const struct edit_step *s,
		     size_t at)
{
	switch (s->kind) {
	case EDIT_KEY:
		return n->key != NULL && strcmp(n->key, s->word) == 0;
	case EDIT_INDEX:
		return n->key == NULL && at == s->index;
	default:
		if (n->key != NULL)
			return false;
		if (n->type == EDIT_MAP)
			return has(n, s->match[0] != '\0' ? s->match : "name",
				   s->word);
		return n->type == EDIT_SCALAR && s->match[0] == '\0' &&
		       strcmp(n->text, s->word) == 0;
	}
}

size_t edit_find(const struct edit_text *t, const struct edit_path *p,
		 struct edit_node **ret)
{
	struct edit_node *n = t->root;
	size_t used = 0;

	while (used < p->n && n != NULL) {
		struct edit_node *child = n->first;
		size_t at = 0;

		while (child != NULL && !is_meant(child, &p->v[used], at++))
			child = child->next;
		if (child == NULL)
			break;
		n = child;
		used++;
	}
	*ret = n;
	return used;
}
