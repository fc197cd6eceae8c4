/* SPDX-License-Identifier: MIT */
/* t/unit/conf_map.c - a list whose entries are mappings. */
#include "t/unit/conf.h"
#include <stdlib.h>

static const char *const keys[] = { "name", "from", NULL };

struct people {
	struct hd_list v;
};

static const struct hd_option options[] = {
	{ .name = "v",
	  .type = HD_OPTION_LIST,
	  .offset = 0,
	  .def = "[]",
	  .choices = keys,
	  .help = "who" },
	HD_OPTION_END,
};

static int fill(struct hd_conf *conf, struct people **ret, struct hd_error *err)
{
	return hd_conf_section_fill(conf, "wg", options, sizeof(**ret),
				    (void **)ret, err);
}

static void entries_are_values_in_the_order_of_the_keys(void **state)
{
	HD_AUTO(hd_conf_free)
	struct hd_conf *conf = load("wg:\n  v:\n"
				    "    - {from: here, name: ann}\n"
				    "    - name: bob b\n"
				    "    - text\n");
	struct people *p = NULL;

	(void)state;
	assert_int_equal(fill(conf, &p, NULL), 0);
	assert_int_equal(p->v.n, 3);
	assert_string_equal(p->v.v[0], "ann\there\t");
	assert_string_equal(p->v.v[1], "bob b\t\t");
	assert_string_equal(p->v.v[2], "text");
}

static void wrong_entries_are_refused(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "wg: {v: [{nam: ann}]}", "name" },
		{ "wg: {v: [{name: [ann]}]}", "one text" },
		{ "wg: {v: [{name: \"a\\tb\"}]}", "tabs" },
		{ "wg: {v: [[ann]]}", "must be a text" },
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		HD_AUTO(hd_conf_free)
		struct hd_conf *conf = load(cases[i].text);
		struct hd_error err = { "" };
		struct people *p = NULL;

		assert_true(fill(conf, &p, &err) < 0);
		if (strstr(err.text, cases[i].want) == NULL)
			fail_msg("%s: %s", cases[i].text, err.text);
	}
}

static void what_is_printed_loads_again(void **state)
{
	HD_AUTO(hd_conf_free)
	struct hd_conf *conf = load("wg: {v: [{name: \"a b\"}, {from: x}]}");
	struct people *p = NULL;
	char text[65536] = "";
	FILE *file = fmemopen(text, sizeof(text) - 1, "w");

	(void)state;
	assert_int_equal(fill(conf, &p, NULL), 0);
	hd_conf_print(conf, file);
	fclose(file);
	assert_non_null(strstr(text, "[{name: \"a b\"}, {from: x}]"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_values_in_the_order_of_the_keys),
		cmocka_unit_test(wrong_entries_are_refused),
		cmocka_unit_test(what_is_printed_loads_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
