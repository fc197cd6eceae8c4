/* SPDX-License-Identifier: MIT */
/* tools/hdctl/configure/configure_change.c - set, add, delete; and the same
 * once more, on a file that somebody has changed. */
#include "tools/hdctl/configure/configure.h"

#include <stdlib.h>
#include <string.h>

enum { VALUE_BYTES = 64 * 1024 };

/* The file that has most of the path; the first of them. */
static int find_file(const struct configure *c, const char *option,
		     char file[PATH_MAX])
{
	json_t *files = configure_files(c), *item;
	int best = -1, r = HDCTL_OK;
	struct hd_error err;
	size_t i, parts;

	json_array_foreach(files, i, item)
	{
		const char *path = json_string_value(item);
		char *text = configure_text(c, path);
		unsigned line;
		int n = text == NULL ? -1
				     : edit_depth(text, path, option, &parts,
						  &line, &err);

		free(text);
		if (n < 0 && text != NULL && i == 0)
			r = hdctl_fail(HDCTL_REFUSED, "%s", err.text);
		if (n > best && (configure_is_ours(c, path) ||
				 n == (int)parts)) {
			best = n;
			snprintf(file, PATH_MAX, "%s", path);
		}
	}
	json_decref(files);
	if (r == HDCTL_OK && best < 0)
		r = HDCTL_REFUSED;
	if (r == HDCTL_OK && !configure_is_ours(c, file))
		r = hdctl_fail(HDCTL_REFUSED,
			       "%s is set in %s, which is not in the folder of "
			       "%s: change it there", option, file, c->config);
	return r;
}

static const char *last_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* The complaint is about what was put in. */
static bool is_about(const char *why, const char *file,
		     const struct edit_done *done)
{
	const char *p = strchr(why, ':');
	char name[PATH_MAX], real[PATH_MAX];
	unsigned line;

	if (p == NULL || p - why >= PATH_MAX || sscanf(p, ":%u:", &line) != 1)
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)(p - why), why);
	if (line < done->first_line || line > done->last_line)
		return false;
	if (name[0] != '/') /* from the folder where the relay was started */
		return strcmp(last_of(name), last_of(file)) == 0;
	return realpath(name, real) != NULL && strcmp(real, file) == 0;
}

static void tell(const struct configure_verdict *v, const char *file,
		 const struct edit_done *done)
{
	const json_t *name;
	size_t i;

	if (done->lost_line > 0)
		fprintf(stderr,
			"note: the comment in line %u of %s goes with it\n",
			done->lost_line, file);
	if (!v->good && v->why[0] != '\0')
		fprintf(stderr, "note: the candidate is not complete: %s\n",
			v->why);
	json_array_foreach(v->restart, i, name)
		fprintf(stderr, "note: %s needs a restart\n",
			json_string_value(name));
}

static int judge(struct configure *c, const struct edit_wish *w,
		 const char *file, const struct edit_done *done)
{
	struct configure_verdict v = { .good = false };
	int r = configure_check(c, &v);

	if (r != HDCTL_OK) /* nothing to ask: a commit will say so */
		r = HDCTL_OK;
	else if (!v.good && w->op != EDIT_DELETE && is_about(v.why, file, done))
		r = hdctl_fail(HDCTL_REFUSED, "%s", v.why);
	else if (!c->h->json)
		tell(&v, file, done);
	configure_verdict_free(&v);
	return r;
}

static const char *const op_names[] = { "set", "add", "delete" };

static int apply(struct configure *c, const struct edit_wish *w,
		 char file[PATH_MAX], struct edit_done *done)
{
	struct hd_error err = { "" };
	char *text, *new;
	int r = find_file(c, w->path, file);

	if (r != HDCTL_OK)
		return r;
	text = configure_text(c, file);
	if (text == NULL)
		return HDCTL_REFUSED;
	new = edit_apply(text, file, w, done, &err);
	if (new == NULL)
		r = hdctl_fail(HDCTL_REFUSED, "%s", err.text);
	else
		r = configure_put(c, file, new);
	if (r == HDCTL_OK)
		configure_note(c, op_names[w->op], w->path, w->value);
	free(text);
	free(new);
	return r;
}

static int change(struct configure *c, const struct edit_wish *w)
{
	struct edit_done done = { 0 };
	char file[PATH_MAX] = "";
	int r = apply(c, w, file, &done);

	if (r == HDCTL_OK)
		r = judge(c, w, file, &done);
	if (r == HDCTL_OK)
		r = configure_save(c);
	if (r == HDCTL_OK && c->h->json) {
		json_t *said = json_pack("{s:s, s:i, s:i}", "file", file,
					 "line", (int)done.first_line,
					 "comment_lost", (int)done.lost_line);

		json_dumpf(said, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(said);
	}
	return r;
}

/* The words of a value, joined: a list in brackets may have blanks. */
static int join(const char *const *words, size_t n, char value[VALUE_BYTES])
{
	size_t len = 0;

	for (size_t i = 0; i < n && len < VALUE_BYTES; i++)
		len += (size_t)snprintf(value + len, VALUE_BYTES - len, "%s%s",
					i > 0 ? " " : "", words[i]);
	return len < VALUE_BYTES ? HDCTL_OK
				 : hdctl_fail(HDCTL_USAGE,
					      "the value is longer than %d KiB",
					      VALUE_BYTES / 1024);
}

static int change_to(struct configure *c, enum edit_op op,
		     const char *const *words, size_t n)
{
	char value[VALUE_BYTES];
	const struct edit_wish w = { op, words[0], n > 1 ? value : NULL };
	int r = join(words + 1, n - 1, value);

	return r == HDCTL_OK ? change(c, &w) : r;
}

int configure_set(struct configure *c, const char *const *words, size_t n)
{
	if (n < 2)
		return hdctl_fail(HDCTL_USAGE, "set needs an option and its "
				  "value: set log.level debug");
	return change_to(c, EDIT_SET, words, n);
}

int configure_add(struct configure *c, const char *const *words, size_t n)
{
	if (n < 2)
		return hdctl_fail(HDCTL_USAGE, "add needs a list and an item: "
				  "add load_module stun");
	return change_to(c, EDIT_ADD, words, n);
}

int configure_delete(struct configure *c, const char *const *words, size_t n)
{
	if (n < 1)
		return hdctl_fail(HDCTL_USAGE, "delete needs an option: delete "
				  "log.level");
	return change_to(c, EDIT_DELETE, words, n);
}

/* ---- the same again ---- */

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text != NULL ? text : "";
}

static int repeat(struct configure *c, const json_t *op)
{
	const char *name = text_of(op, "op"), *value = text_of(op, "value");
	struct edit_wish w = { EDIT_SET, text_of(op, "path"), value };
	struct edit_done done = { 0 };
	char file[PATH_MAX] = "";

	while (strcmp(op_names[w.op], name) != 0)
		if (w.op++ == EDIT_DELETE)
			return hdctl_fail(HDCTL_REFUSED,
					  "a %s cannot be repeated: discard "
					  "the candidate, and begin anew",
					  name);
	if (w.op == EDIT_DELETE && *value == '\0')
		w.value = NULL;
	return apply(c, &w, file, &done);
}

int configure_update(struct configure *c, const char *const *words, size_t n)
{
	json_t *ops = json_incref(json_object_get(c->cand, "ops")), *op;
	int r = HDCTL_OK;
	size_t i;

	(void)words;
	if (n > 0)
		r = hdctl_fail(HDCTL_USAGE, "update takes no words");
	json_object_clear(json_object_get(c->cand, "files"));
	json_object_set_new(c->cand, "ops", json_array());
	json_array_foreach(ops, i, op)
		if (r == HDCTL_OK)
			r = repeat(c, op);
	if (r == HDCTL_OK) /* whose they were */
		json_object_set(c->cand, "ops", ops);
	json_decref(ops);
	return r == HDCTL_OK ? configure_save(c) : r;
}
