/* SPDX-License-Identifier: MIT */
/* modules/policy/devices_json.c - the keys in the answer of an API. An entry
 * without a key is passed over: Tailscale has such, too. An answer in which the
 * path leads nowhere is none: else an API that answers 200 with something else
 * would put everybody out. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include "modules/policy/devices.h"
#include "modules/policy/service.h"

/* Each takes up to 250 bytes while they are walked; 40,000 devices of
 * Tailscale's have half as many. */
enum { VALUES_MAX = 2000000 };

struct walk {
	const struct policy_devices_paths *paths;
	unsigned item; /* the step behind the last [*] of all paths */
	size_t lists; /* found */
	size_t said; /* entries that have true or false at devices_where */
	struct policy_devices_found found;
	FILE *to;
};

/* ---- an entry ---- */

/* NULL: nothing is there. */
static json_t *follow(const struct policy_path *path, unsigned step, json_t *at)
{
	for (; at != NULL && step < path->n; step++)
		at = json_object_get(at, policy_path_step(path, step));
	return at;
}

/* Returns whether it is a key, and nothing but a key. */
static bool key_of(const json_t *v, struct hd_key *ret)
{
	const char *text = json_string_value(v);
	const char *end = text != NULL ? policy_key_parse(text, ret) : NULL;

	return end != NULL && (size_t)(end - text) == json_string_length(v);
}

static bool is_wanted(struct walk *w, json_t *item)
{
	const struct policy_path *where = &w->paths->where;
	const json_t *v;

	if (where->n == 0)
		return true;
	v = follow(where, w->item, item);
	w->said += json_is_boolean(v);
	return json_is_true(v);
}

static const char *name_of(const struct walk *w, json_t *item,
			   char buf[POLICY_NAME_BYTES])
{
	const struct policy_path *name = &w->paths->name;

	policy_take_name(name->n == 0 ? NULL
				      : json_string_value(follow(
						name, w->item, item)),
			 buf);
	return buf;
}

static void take_item(struct walk *w, json_t *item)
{
	char text[POLICY_KEY_TEXT_BYTES], name[POLICY_NAME_BYTES];
	struct hd_key key;

	if (!is_wanted(w, item)) {
		w->found.left_out++;
		return;
	}
	if (!key_of(follow(&w->paths->key, w->item, item), &key)) {
		w->found.skipped++;
		return;
	}
	w->found.n++;
	policy_key_text(&key, text);
	fprintf(w->to, "%s %s\n", text, name_of(w, item, name));
}

/* ---- to the entries ---- */

static void walk(struct walk *w, unsigned step, json_t *at);

static void walk_each(struct walk *w, unsigned step, json_t *at)
{
	json_t *v;
	const char *name;
	size_t i;

	if (step + 1 == w->item) /* null: how Go writes an empty list */
		w->lists += json_is_array(at) || json_is_object(at) ||
			    json_is_null(at);
	json_array_foreach (at, i, v)
		walk(w, step + 1, v);
	if (json_is_object(at))
		json_object_foreach (at, name, v)
			walk(w, step + 1, v);
}

/* As deep as a path has steps. */
static void walk(struct walk *w, unsigned step, json_t *at)
{
	if (step == w->item) {
		take_item(w, at);
		return;
	}
	if (policy_path_step(&w->paths->key, step) == NULL)
		walk_each(w, step, at);
	else if (json_is_object(at))
		walk(w, step + 1,
		     json_object_get(at,
				     policy_path_step(&w->paths->key, step)));
}

/* ---- the answer ---- */

static int check(const struct walk *w, struct hd_error *err)
{
	if (w->item > 0 && w->lists == 0)
		return hd_error_set(err, -EPROTO,
				    "there is no list where devices_path "
				    "leads");
	if (w->found.n == 0 && w->found.skipped > 0)
		return hd_error_set(err, -EPROTO,
				    "there is no key where devices_path leads, "
				    "in %zu entries",
				    w->found.skipped);
	if (w->found.left_out > 0 && w->said == 0)
		return hd_error_set(err, -EPROTO,
				    "there is no true or false where "
				    "devices_where leads, in %zu entries",
				    w->found.left_out);
	return 0;
}

static int walk_all(struct walk *w, json_t *all, char **ret_text,
		    struct hd_error *err)
{
	size_t n = 0;
	int r;

	w->to = open_memstream(ret_text, &n);
	if (w->to == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	walk(w, 0, all);
	r = ferror(w->to);
	if (fclose(w->to) != 0 || r != 0)
		return hd_error_set(err, -ENOMEM, "out of memory");
	return check(w, err);
}

/* What stands in texts counts, too: it is a bound. */
static bool has_too_many(const char *json, size_t n)
{
	size_t values = 0;

	for (size_t i = 0; i < n; i++)
		values += json[i] == ',' || json[i] == '[' || json[i] == '{';
	return values > VALUES_MAX;
}

int policy_devices_read(const struct policy_devices_paths *paths,
			const char *json, size_t n, char **ret_text,
			struct policy_devices_found *found,
			struct hd_error *err)
{
	struct walk w = { .paths = paths,
			  .item = policy_path_item(&paths->key) };
	json_error_t why;
	json_t *all;
	int r;

	*ret_text = NULL;
	if (has_too_many(json, n))
		return hd_error_set(err, -EPROTO, "more than %d values",
				    VALUES_MAX);
	all = json_loadb(json, n, JSON_REJECT_DUPLICATES | POLICY_JSON_FLAGS,
			 &why);
	if (all == NULL)
		return hd_error_set(err, -EPROTO, "no JSON: line %d: %s",
				    why.line, why.text);
	r = walk_all(&w, all, ret_text, err);
	json_decref(all);
	*found = w.found;
	if (r == 0)
		return 0;
	free(*ret_text);
	*ret_text = NULL;
	return r;
}
