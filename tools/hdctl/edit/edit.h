/* SPDX-License-Identifier: MIT */
/* tools/hdctl/edit/edit.h - one option of a YAML file is changed, and all other
 * bytes of it stay: comments, order, quotes. edit_parse.c finds out where
 * things stand, edit_path.c which of them is meant, edit_set.c and
 * edit_delete.c say what is cut out and put in, and edit.c reads the result
 * again: it must be what was asked for, or the text stays as it is. */
#pragma once
#include <hyper-derp/base.h>
#include <jansson.h>

enum edit_op { EDIT_SET, EDIT_ADD, EDIT_DELETE };

struct edit_wish {
	enum edit_op op;
	const char *path; /* "tls.ktls", "listen[0].addr", "peers[name=x]" */
	/* A word; or YAML in one line that begins with [ { " or '.
	 * EDIT_DELETE: the item of a list, or NULL: the option itself */
	const char *value;
};

struct edit_done {
	unsigned first_line, last_line; /* what was put in */
	unsigned lost_line; /* of a comment that had to go; 0: none */
};

/* edit_apply - @name  of the file, for the error
 * Returns text for free(); NULL: err says why. */
char *edit_apply(const char *text, const char *name, const struct edit_wish *w,
		 struct edit_done *ret, struct hd_error *err);
/* edit_depth - how much of the path is there: 0 nothing, the number of its
 * parts: all. Returns negative: no such path, or no YAML; err says so.
 * @ret_line  of what is there */
int edit_depth(const char *text, const char *name, const char *path,
	       size_t *ret_parts, unsigned *ret_line, struct hd_error *err);
/* edit_value - what a path has, as JSON; NULL: nothing. The caller releases
 * it. */
json_t *edit_value(const char *text, const char *path);

/* ---- inside ---- */

enum edit_type { EDIT_SCALAR, EDIT_LIST, EDIT_MAP, EDIT_ALIAS };

struct edit_node { /* bytes of the text, the end is behind the last one */
	enum edit_type type;
	bool flow; /* [ ] { } */
	bool null; /* nothing, ~ or null */
	bool block_text; /* | or > */
	bool anchor;
	char *text; /* of a scalar, or the name of an alias */
	char *key; /* in a map */
	size_t key_begin, key_end, begin, end;
	size_t dash; /* in a list that is not flow */
	struct edit_node *up, *first, *last, *next, *prev;
	unsigned n;
	struct edit_node *all; /* of the same text, to free them */
};

struct edit_range {
	size_t begin, end;
};

struct edit_text {
	const char *text, *name;
	size_t len;
	size_t *offsets; /* of each character */
	size_t n_offsets;
	struct edit_node *root; /* NULL: the text is empty */
	struct edit_node *all;
	struct edit_range *words; /* keys and scalars, in order */
	size_t n_words, words_size;
	unsigned n_aliases, n_nodes;
};

/* edit_parse - Returns 0; -EINVAL, -ENOMEM with err. edit_free also then. */
int edit_parse(struct edit_text *t, const char *text, const char *name,
	       struct hd_error *err);
void edit_free(struct edit_text *t);
unsigned edit_line(const char *text, size_t at);
/* edit_comment - the line of a comment between two places; 0: none. */
unsigned edit_comment(const struct edit_text *t, size_t begin, size_t end);
/* edit_tail - behind the last byte of a node that is not blank.
 * edit_line_begin, edit_line_end - of the line that a place is in; without the
 * line's end. edit_after_key - where the value may stand. */
size_t edit_tail(const struct edit_text *t, const struct edit_node *n);
size_t edit_line_begin(const struct edit_text *t, size_t at);
size_t edit_line_end(const struct edit_text *t, size_t at);
size_t edit_after_key(const struct edit_text *t, const struct edit_node *n);

enum { EDIT_STEPS_MAX = 16, EDIT_WORD_BYTES = 256 };

struct edit_step {
	enum { EDIT_KEY, EDIT_INDEX, EDIT_MATCH } kind;
	char word[EDIT_WORD_BYTES]; /* the key, or the value that matches */
	char match[EDIT_WORD_BYTES]; /* of which key; "": name, or the item */
	size_t index;
};

struct edit_path {
	struct edit_step v[EDIT_STEPS_MAX];
	size_t n;
};

int edit_path_parse(struct edit_path *p, const char *text,
		    struct hd_error *err);
/* edit_find - as far as it goes. Returns how many steps were found. */
size_t edit_find(const struct edit_text *t, const struct edit_path *p,
		 struct edit_node **ret);

/* What is done to the text, and to the tree: they are compared. */
struct edit_change {
	size_t begin, end; /* these bytes go */
	char *put; /* and this comes; free() */
	const struct edit_node *at; /* NULL: the root that is not there */
	enum { EDIT_REPLACE, EDIT_OMIT, EDIT_PUT, EDIT_APPEND } kind;
	char *key; /* EDIT_PUT */
	json_t *value;
};

/* edit_json - the tree, with a change or NULL. */
json_t *edit_json(const struct edit_node *n, const struct edit_change *c);
/* edit_word - a value as a person would write it. edit_quote - to a stream. */
void edit_quote(FILE *out, const char *word);
int edit_set(const struct edit_text *t, const struct edit_path *p, bool add,
	     const char *flow, json_t *value, struct edit_change *c,
	     struct hd_error *err);
int edit_delete(const struct edit_text *t, const struct edit_path *p,
		const json_t *item, struct edit_change *c,
		struct hd_error *err);
