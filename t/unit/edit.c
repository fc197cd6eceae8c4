/* SPDX-License-Identifier: MIT */
/* t/unit/edit.c - a YAML file that is changed in one place: what comes of it
 * is as a person would have written it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tools/hdctl/edit/edit.h"
#include <stdlib.h>
#include <string.h>

struct change {
	enum edit_op op;
	const char *path, *value, *old, *new;
	unsigned lost; /* the line of a comment that goes */
};

static void check(const struct change *c)
{
	const struct edit_wish w = { c->op, c->path, c->value };
	struct edit_done done = { 0 };
	struct hd_error err = { "" };
	char *text = edit_apply(c->old, "f.yaml", &w, &done, &err);

	assert_string_equal(text != NULL ? text : err.text, c->new);
	if (text != NULL)
		assert_int_equal(done.lost_line, c->lost);
	free(text);
}

#define CHECK(...)                                                             \
	do {                                                                   \
		const struct change v[] = { __VA_ARGS__ };                     \
		for (size_t k = 0; k < HD_ARRAY_N(v); k++)                     \
			check(&v[k]);                                          \
	} while (0)

static void a_value_is_replaced(void **state)
{
	(void)state;
	CHECK({ EDIT_SET, "workers", "4",
		"# mine\nworkers:  2  # two\nport: 1\n",
		"# mine\nworkers:  4  # two\nport: 1\n", 0 },
	      { EDIT_SET, "log.level", "debug",
		"log: {level: info, target: x}\n",
		"log: {level: debug, target: x}\n", 0 },
	      { EDIT_SET, "log.level", "debug", "log:\n  # how much\n"
		"  level: \"info\"\n  target: x", "log:\n  # how much\n"
		"  level: debug\n  target: x", 0 },
	      { EDIT_SET, "a", "b: c", "a: 'x # y' # z\n",
		"a: \"b: c\" # z\n", 0 },
	      { EDIT_SET, "a", "b", "a: # why\nc: d\n", "a: b # why\nc: d\n",
		0 },
	      { EDIT_SET, "a", "b", "\xef\xbb\xbf" "a: \xc3\xa4\nc: d\n",
		"\xef\xbb\xbf" "a: b\nc: d\n", 0 },
	      { EDIT_SET, "a", "b", "a: x\r\nc: d\r\n", "a: b\r\nc: d\r\n",
		0 },
	      { EDIT_SET, "a", "b", "a: |\n  x\n  y\nc: d\n", "a: b\nc: d\n",
		0 },
	      { EDIT_SET, "l", "[x, y]", "l:\n- a # one\n- b # two\nc: d\n",
		"l: [x, y] # two\nc: d\n", 2 },
	      { EDIT_SET, "l[1].a", "9", "l:\n  - {a: 1}\n  - a: 2\n    b: 3\n",
		"l:\n  - {a: 1}\n  - a: 9\n    b: 3\n", 0 },
	      { EDIT_SET, "l[name=y].a", "9",
		"l: [{name: x, a: 1}, {name: y, a: 1}]\n",
		"l: [{name: x, a: 1}, {name: y, a: 9}]\n", 0 });
}

static void a_key_is_added(void **state)
{
	(void)state;
	CHECK({ EDIT_SET, "a", "b", "", "a: b\n", 0 },
	      { EDIT_SET, "a", "b", "# only this", "# only this\na: b\n", 0 },
	      { EDIT_SET, "log.level", "debug", "port: 1 # p\n# end\n",
		"port: 1 # p\nlog:\n  level: debug\n# end\n", 0 },
	      { EDIT_SET, "log.level", "debug",
		"log:\n    target: x  # t\nport: 1\n",
		"log:\n    target: x  # t\n    level: debug\nport: 1\n", 0 },
	      { EDIT_SET, "log.level", "debug", "log: {target: x}\n",
		"log: {target: x, level: debug}\n", 0 },
	      { EDIT_SET, "log.level", "debug", "log: {}\n",
		"log: {level: debug}\n", 0 },
	      { EDIT_SET, "log.level", "debug", "log: ~\n",
		"log: {level: debug}\n", 0 },
	      { EDIT_SET, "log.level", "debug", "log: # later\nport: 1\n",
		"log: # later\n  level: debug\nport: 1\n", 0 },
	      { EDIT_SET, "a.b.c", "d", "{x: y}\n", "{x: y, a: {b: {c: d}}}\n",
		0 },
	      { EDIT_SET, "l[0].b", "2", "l:\n- a: 1\n- a: 2\n",
		"l:\n- a: 1\n  b: 2\n- a: 2\n", 0 },
	      { EDIT_SET, "a", "b", "l:\n- x\n- y", "l:\n- x\n- y\na: b", 0 });
}

static void an_item_is_added(void **state)
{
	(void)state;
	CHECK({ EDIT_ADD, "l", "c", "l: [a, b] # x\n", "l: [a, b, c] # x\n",
		0 },
	      { EDIT_ADD, "l", "c", "l: []\n", "l: [c]\n", 0 },
	      { EDIT_ADD, "l", "c", "l: a\n", "l: [a, c]\n", 0 },
	      { EDIT_ADD, "l", "c", "l:\n", "l: [c]\n", 0 },
	      { EDIT_ADD, "l", "c", "p: 1\n", "p: 1\nl: [c]\n", 0 },
	      { EDIT_ADD, "s.l", "c", "p: 1\n", "p: 1\ns:\n  l: [c]\n", 0 },
	      { EDIT_ADD, "l", "{addr: \":1\"}", "l:\n  - addr: x\n    b: y\n"
		"# z\np: 1\n", "l:\n  - addr: x\n    b: y\n"
		"  - {addr: \":1\"}\n# z\np: 1\n", 0 },
	      { EDIT_ADD, "l", "a", "l: [a, b]\n",
		"f.yaml:1: it is there already", 0 });
}

static void a_key_is_deleted(void **state)
{
	(void)state;
	CHECK({ EDIT_DELETE, "b", NULL, "a: 1\n# of b\nb: 2 # two\nc: 3\n",
		"a: 1\n# of b\nc: 3\n", 3 },
	      { EDIT_DELETE, "b", NULL, "a: 1\nb:\n  x: 1\n  y: 2", "a: 1\n",
		0 },
	      { EDIT_DELETE, "b.x", NULL, "a: 1\nb:\n  x: 1\n  y: 2\n",
		"a: 1\nb:\n  y: 2\n", 0 },
	      { EDIT_DELETE, "b.x", NULL, "a: 1\nb:\n  x: 1\nc: 3\n",
		"a: 1\nc: 3\n", 0 },
	      { EDIT_DELETE, "b.x", NULL, "b: {x: 1, y: 2}\n", "b: {y: 2}\n",
		0 },
	      { EDIT_DELETE, "b.y", NULL, "b: {x: 1, y: 2}\n", "b: {x: 1}\n",
		0 },
	      { EDIT_DELETE, "l[0].a", NULL, "l:\n- a: 1\n  b: 2\n- c: 3\n",
		"l:\n- b: 2\n- c: 3\n", 0 },
	      { EDIT_DELETE, "l[1]", NULL, "l:\n- a: 1\n  b: 2\n- c: 3\nd: 4\n",
		"l:\n- a: 1\n  b: 2\nd: 4\n", 0 },
	      { EDIT_DELETE, "l", "y", "l: [x, y, z]\n", "l: [x, z]\n", 0 },
	      { EDIT_DELETE, "l[z]", NULL, "l: [x, y, z]\n", "l: [x, y]\n",
		0 },
	      { EDIT_DELETE, "a", NULL, "a: 1\n", "", 0 },
	      { EDIT_DELETE, "a", NULL, "{a: 1}\n", "{}\n", 0 },
	      { EDIT_DELETE, "b", NULL, "a: 1\n", "f.yaml: b is not set there",
		0 });
}

static void what_cannot_be_is_refused(void **state)
{
	static const char *const bad[][3] = {
		{ "a: 1\n", "a.b", "f.yaml:1: `b` cannot stand in what has a "
				   "value itself" },
		{ "l: [x]\n", "l.b", "f.yaml:1: `b` cannot stand in a list: "
				     "name an item, as in listen[0].addr" },
		{ "l: [x]\n", "l[7]", "f.yaml:1: there is no item [7]; see "
				      "what there is with: show; a new one "
				      "comes with: add" },
		{ "a: [\n", "a", "f.yaml:2: did not find expected node "
				 "content" },
		{ "a: 1\na: 2\n", "a", "f.yaml:2: `a` is there twice" },
		{ "a: 1\n---\nb: 2\n", "a", "f.yaml:2: a second document" },
		{ "- a\n", "b", "f.yaml: no options are in it" },
		{ "a: &x 1\nb: *x\n", "a", "f.yaml:1: another place refers to "
					   "what is here; change this place "
					   "with an editor, then go on" },
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(bad); i++)
		CHECK({ EDIT_SET, bad[i][1], "v", bad[i][0], bad[i][2], 0 });
	CHECK({ EDIT_SET, "a..b", "v", "", "a..b: not an option's name; "
		"expected as log.level, listen[0].addr or "
		"wg.peers[name=alice]", 0 },
	      { EDIT_SET, "a", "[1, *x]", "", "the value is no list, mapping "
		"or text of YAML in one line: [1, *x]", 0 },
	      { EDIT_SET, "a", "{", "", "the value is no list, mapping or text "
		"of YAML in one line: {", 0 });
}

static void values_are_found(void **state)
{
	json_t *v = edit_value("a: {b: [1, x]}\n", "a.b");
	struct hd_error err = { "" };
	unsigned line = 0;
	size_t parts;

	(void)state;
	assert_int_equal(json_array_size(v), 2);
	json_decref(v);
	assert_null(edit_value("a: 1\n", "b"));
	assert_int_equal(edit_depth("x: 1\na:\n  b: 1\n", "f", "a.c", &parts,
				    &line, &err), 1);
	assert_int_equal(parts, 2);
	assert_int_equal(line, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_is_replaced),
		cmocka_unit_test(a_key_is_added),
		cmocka_unit_test(an_item_is_added),
		cmocka_unit_test(a_key_is_deleted),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(values_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
