/* SPDX-License-Identifier: MIT */
/* t/unit/conf_entries.c - lists of mappings, typed by a table of their own. */
#include "t/unit/conf.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "core/module/module_live.h"

struct port {
	uint64_t from, to;
};

struct rule {
	struct hd_place at, key_at;
	const char *name;
	struct hd_key key;
	union hd_addr addr;
	struct hd_secret token;
	uint64_t action, rate, idle_ms;
	bool log;
	struct hd_list tags;
	HD_ENTRIES_OF(struct port) ports;
};

struct policy {
	HD_ENTRIES_OF(struct rule) rules;
	struct hd_list flags;
};

#define AT(type, member) .offset = offsetof(struct type, member)
static const struct hd_option port_options[] = {
	{ .name = "from",
	  .type = HD_OPTION_UINT,
	  AT(port, from),
	  .bare = true,
	  .required = true,
	  .min = 1,
	  .max = 65535 },
	{ .name = "to", .type = HD_OPTION_UINT, AT(port, to), .max = 65535 },
	HD_OPTION_END,
};

static const char *const actions[] = { "pass", "deny", NULL };
static const char *const flags[] = { "fast", "small", NULL };
static const struct hd_option rule_options[] = {
	{ .name = "", .type = HD_OPTION_PLACE, AT(rule, at) },
	{ .name = "key", .type = HD_OPTION_PLACE, AT(rule, key_at) },
	{ .name = "name",
	  .type = HD_OPTION_STRING,
	  AT(rule, name),
	  .bare = true,
	  .required = true,
	  .help = "what it is called" },
	{ .name = "key", .type = HD_OPTION_KEY, AT(rule, key) },
	{ .name = "addr", .type = HD_OPTION_ADDR, AT(rule, addr) },
	{ .name = "token", .type = HD_OPTION_SECRET_FILE, AT(rule, token) },
	{ .name = "action",
	  .type = HD_OPTION_CHOICE,
	  AT(rule, action),
	  .def = "deny",
	  .choices = actions },
	{ .name = "rate",
	  .type = HD_OPTION_UINT,
	  AT(rule, rate),
	  .min = 1,
	  .max = 100,
	  .unit = "1/s",
	  .help = "how often" },
	{ .name = "idle",
	  .type = HD_OPTION_DURATION_MS,
	  AT(rule, idle_ms),
	  .def = "10s" },
	{ .name = "log", .type = HD_OPTION_BOOL, AT(rule, log) },
	{ .name = "tags", .type = HD_OPTION_LIST, AT(rule, tags) },
	{ .name = "ports",
	  .type = HD_OPTION_ENTRIES,
	  AT(rule, ports),
	  .entry = port_options,
	  .entry_size = sizeof(struct port) },
	HD_OPTION_END,
};

static const struct hd_option policy_options[] = {
	{ .name = "rules",
	  .type = HD_OPTION_ENTRIES,
	  AT(policy, rules),
	  .def = "[]",
	  .max = 4,
	  .help = "in order",
	  .example = "[{name: all}]",
	  .entry = rule_options,
	  .entry_size = sizeof(struct rule) },
	{ .name = "flags",
	  .type = HD_OPTION_LIST,
	  AT(policy, flags),
	  .choices = flags,
	  .help = "each one of" },
	HD_OPTION_END,
};

#define KEY "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
#define TOP "load_module: [policy]\nport: 3340\n"

static int take(struct hd_conf *conf, const struct policy **ret,
		struct hd_error *err)
{
	void *data = NULL;
	int r = hd_conf_section_fill(conf, "policy", policy_options,
				     sizeof(struct policy), &data, err);

	*ret = data;
	return r;
}

static const struct policy *taken(struct hd_conf *conf)
{
	const struct policy *p;
	struct hd_error err = { "" };

	if (take(conf, &p, &err) < 0)
		fail_msg("%s", err.text);
	return p;
}

static const char all_of_it[] =
	TOP "policy:\n  rules:\n"
	    "    - name: 'a b'\n      rate: 5\n      key: " KEY "\n"
	    "      addr: '10.0.0.1:5'\n      tags: [x, 'y z']\n"
	    "      ports: [80, {from: 90, to: 99}]\n      log: yes\n"
	    "    - bob\n"
	    "    - {name: carol, action: pass, idle: 2m, ports: 7}\n";

static void each_entry_is_a_struct(void **state)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = load(all_of_it);
	const struct policy *p = taken(conf);
	const struct rule *r = p->rules.v;
	char buf[HD_ADDR_TEXT_BYTES];

	(void)state;
	assert_int_equal(p->rules.n, 3);
	assert_string_equal(r[0].name, "a b");
	assert_int_equal(r[0].rate, 5);
	assert_int_equal(r[0].key.b[31], 0x20);
	assert_string_equal(hd_addr_text(&r[0].addr, buf), "10.0.0.1:5");
	assert_int_equal(r[0].tags.n, 2);
	assert_string_equal(r[0].tags.v[1], "y z");
	assert_int_equal(r[0].action, 1);
	assert_int_equal(r[0].idle_ms, 10000);
	assert_true(r[0].log);
	assert_int_equal(r[0].ports.n, 2);
	assert_int_equal(r[0].ports.v[0].from, 80);
	assert_int_equal(r[0].ports.v[1].to, 99);
	assert_string_equal(r[1].name, "bob");
	assert_int_equal(r[1].idle_ms, 10000);
	assert_int_equal(r[1].ports.n, 0);
	assert_int_equal(r[2].action, 0);
	assert_int_equal(r[2].idle_ms, 120000);
	assert_int_equal(r[2].ports.v[0].from, 7);
}

static void one_at_most_needs_no_brackets(void **state)
{
	static const struct hd_option one[] = {
		{ .name = "rules",
		  .type = HD_OPTION_ENTRIES,
		  AT(policy, rules),
		  .max = 1,
		  .entry = rule_options,
		  .entry_size = sizeof(struct rule) },
		HD_OPTION_END,
	};
	HD_AUTO(hd_conf_free)
	struct hd_conf *conf =
		load(TOP "policy: {rules: {name: a, rate: 7}}\n");
	const struct policy *p;
	struct hd_error err = { "" };
	void *data = NULL;

	(void)state;
	assert_int_equal(hd_conf_section_fill(conf, "policy", one,
					      sizeof(struct policy), &data,
					      &err),
			 0);
	p = data;
	assert_int_equal(p->rules.n, 1);
	assert_int_equal(p->rules.v[0].rate, 7);
	/* where there may be several, one has brackets, too */
	assert_true(take(conf, &p, &err) < 0);
	assert_non_null(strstr(err.text, "must be a list"));
}

static void an_entry_knows_its_place(void **state)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = load(all_of_it);
	const struct rule *r = taken(conf)->rules.v;
	const struct hd_place nowhere = { NULL, 0 };
	struct hd_error err = { "" };

	(void)state;
	assert_int_equal(r[0].at.line, 5);
	assert_string_equal(r[0].at.file, "text");
	assert_int_equal(r[0].key_at.line, 7);
	assert_int_equal(r[2].at.line, 13);
	assert_int_equal(r[2].key_at.line, 13); /* none: the mapping's */
	assert_int_equal(-EPERM, hd_error_at(&r[2].at, &err, -EPERM,
					     "the rule %s", r[2].name));
	assert_string_equal(err.text, "text:13: the rule carol");
	assert_int_equal(-EPERM, hd_error_at(&nowhere, &err, -EPERM, "so"));
	assert_string_equal(err.text, "so");
	assert_int_equal(-EPERM, hd_error_at(&nowhere, NULL, -EPERM, "so"));
}

static void refuse_policy(const char *section, const char *want)
{
	char text[2048];

	snprintf(text, sizeof(text), TOP "policy:\n  %s\n", section);
	HD_AUTO(hd_conf_free) struct hd_conf *conf = load(text);
	const struct policy *p;
	struct hd_error err = { "" };

	assert_int_equal(-EINVAL, take(conf, &p, &err));
	assert_string_equal(err.text, want);
}

static void wrong_entries_are_refused(void **state)
{
	(void)state;
	refuse_policy("rules: [{name: a},\n    {name: b, rat: 5}]",
		      "text:5: unknown key `rat` in `rules`; did you mean "
		      "`rate`?");
	refuse_policy("rules: [{name: a, rate: 0}]",
		      "text:4: `rate: 0` is out of range: 1 to 100 1/s");
	refuse_policy("rules: [{name: a, action: pas}]",
		      "text:4: `action: pas` is not one of pass, deny; did "
		      "you mean `pass`?");
	refuse_policy("rules: [{rate: 5}]",
		      "text:4: an entry of `rules` needs `name`");
	refuse_policy("rules:\n    - {name: a, ports: [{to: 5}]}",
		      "text:5: an entry of `ports` needs `from`");
	refuse_policy("rules: [{name: a, ports: [0]}]",
		      "text:4: `from: 0` is out of range: 1 to 65535");
	refuse_policy("rules: [[a]]", "text:4: an entry of `rules` must be a "
				      "mapping or one value");
	refuse_policy("rules: [~]", "text:4: an entry of `rules` needs `name`");
	refuse_policy("rules: {name: a}", "text:4: `rules` must be a list, as "
					  "in `rules: [{name: all}]`");
	refuse_policy("rules: [{name: [a]}]",
		      "text:4: `name` must be one value");
	refuse_policy("rules: [{name: a, '': 5}]",
		      "text:4: unknown key `` in `rules`; known: name, key, "
		      "addr, token, action, rate, idle, log, tags, ports");
	refuse_policy("rules: [a, b, c, d, e]",
		      "text:4: `rules` has 5 entries: 0 to 4 can be there");
	refuse_policy("rules: [{name: a, token: /nonexistent/x}]",
		      "text:4: `token`: cannot read the secret in "
		      "/nonexistent/x: No such file or directory");
	refuse_policy("rules:\n    - name: a\n      key:\n      rate: 1",
		      "text:6: `key` has no value in an entry of `rules`; "
		      "write one, or leave the key out");
	refuse_policy("rules: [{name: a, tags: ~}]",
		      "text:4: `tags` has no value in an entry of `rules`; "
		      "write one, or leave the key out");
	refuse_policy("flags: [fast, smal]",
		      "text:4: `flags: smal` is not one of fast, small; did "
		      "you mean `small`?");
}

static void a_secret_of_an_entry_is_read(void **state)
{
	char path[] = "/tmp/hd-conf.XXXXXX", text[256];
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, "hush\n", 5), 5);
	close(fd);
	snprintf(text, sizeof(text),
		 TOP "policy: {rules: [{name: a, token: %s}]}", path);
	HD_AUTO(hd_conf_free) struct hd_conf *conf = load(text);
	assert_memory_equal(taken(conf)->rules.v[0].token.v, "hush", 4);
	unlink(path);
}

/* ---- live, printed, shown ---- */

static void live(const char *a, const char *b, int want)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf_a = load(a);
	HD_AUTO(hd_conf_free) struct hd_conf *conf_b = load(b);
	struct hd_error err = { "" };

	taken(conf_a);
	taken(conf_b);
	assert_int_equal(hd_conf_live_only(conf_a, conf_b, &err), want);
	if (want < 0)
		assert_non_null(strstr(err.text, "`policy.rules` has changed"));
}

static void a_change_of_any_entry_is_one(void **state)
{
	(void)state;
	live(TOP "policy: {rules: [a]}", TOP "policy: {rules: [{name: a}]}", 0);
	live(TOP "policy: {rules: [a]}", TOP "\n\npolicy: {rules: [a]}", 0);
	live(TOP "policy: {rules: [a]}", TOP "policy: {rules: [a, b]}", -EBUSY);
	live(TOP "policy: {rules: [a]}",
	     TOP "policy: {rules: [{name: a, idle: 9s}]}", -EBUSY);
	live(TOP "policy: {rules: [{name: a, ports: [1]}]}",
	     TOP "policy: {rules: [{name: a, ports: [2]}]}", -EBUSY);
	live(TOP "policy: {rules: [{name: a, tags: [x]}]}",
	     TOP "policy: {rules: [{name: a, tags: [y]}]}", -EBUSY);
}

static char *printed(struct hd_conf *conf,
		     int (*print)(const struct hd_conf *conf, FILE *file))
{
	taken(conf);
	return text_of(conf, print);
}

static void what_is_printed_loads_again(void **state)
{
	HD_AUTO(hd_conf_free) struct hd_conf *a = load(all_of_it);
	HD_AUTO(free_text) char *once = printed(a, hd_conf_print);
	HD_AUTO(hd_conf_free) struct hd_conf *b = load(once);
	HD_AUTO(free_text) char *twice = printed(b, hd_conf_print);

	(void)state;
	assert_string_equal(once, twice);
	assert_non_null(strstr(
		once,
		"\n  rules:\n    - {name: \"a b\", key: " KEY
		", addr: \"10.0.0.1:5\", action: deny, rate: 5, idle: 10s, "
		"log: true, tags: [x, \"y z\"], ports: [{from: 80}, {from: 90, "
		"to: 99}]}\n    - {name: bob, action: deny, idle: 10s}\n"));
}

static void the_example_tells_the_keys(void **state)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = load(TOP);
	HD_AUTO(free_text) char *text = printed(conf, hd_conf_example);

	(void)state;
	assert_non_null(strstr(text, "\n# in order (0 to 4)\n"
				     "# - name (needed): what it is called\n"));
	assert_non_null(strstr(text, "\n# - rate: how often (1 to 100 1/s)\n"));
	assert_non_null(strstr(text, "\n# - ports.from (needed): from "));
	assert_non_null(strstr(text, "\n#  rules: [{name: all}]\n"));
}

static void tables_are_compared_to_the_bottom(void **state)
{
	struct hd_option port[HD_ARRAY_N(port_options)];
	struct hd_option rule[HD_ARRAY_N(rule_options)];
	struct hd_option policy[HD_ARRAY_N(policy_options)];

	(void)state;
	memcpy(port, port_options, sizeof(port));
	memcpy(rule, rule_options, sizeof(rule));
	memcpy(policy, policy_options, sizeof(policy));
	policy[0].entry = rule;
	rule[HD_ARRAY_N(rule) - 2].entry = port;
	assert_true(hd_options_same(policy, policy_options));
	port[1].max = 9;
	assert_false(hd_options_same(policy, policy_options));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_entry_is_a_struct),
		cmocka_unit_test(one_at_most_needs_no_brackets),
		cmocka_unit_test(an_entry_knows_its_place),
		cmocka_unit_test(wrong_entries_are_refused),
		cmocka_unit_test(a_secret_of_an_entry_is_read),
		cmocka_unit_test(a_change_of_any_entry_is_one),
		cmocka_unit_test(what_is_printed_loads_again),
		cmocka_unit_test(the_example_tells_the_keys),
		cmocka_unit_test(tables_are_compared_to_the_bottom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
