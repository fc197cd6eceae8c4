/* SPDX-License-Identifier: MIT */
/* t/unit/policy_devices.c - where keys stand in an API's JSON, what becomes of
 * answers that are none, and what a rule may want of a list. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "modules/policy/devices.h"
#include "t/unit/policy_key.h"
#include "t/unit/unit.h"

#define A "nodekey:" AA
#define B "nodekey:" BB

/* ---- paths ---- */

static void a_path_is_names_and_each(void **state)
{
	static const struct {
		const char *text;
		unsigned n, item;
	} good[] = {
		{ "devices[*].nodeKey", 3, 2 }, { ".devices[*].nodeKey", 3, 2 },
		{ "[*]", 1, 1 },		{ "[*][*].a", 3, 2 },
		{ "key", 1, 0 },		{ "a.b.c.d.e.f.g.h", 8, 0 },
		{ "Peer[*].PublicKey", 3, 2 },	{ "a b.\xc3\xa4", 2, 0 },
	};
	struct policy_path p;

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(good); i++) {
		assert_int_equal(policy_path_parse(good[i].text, &p), 0);
		assert_int_equal(p.n, good[i].n);
		assert_int_equal(policy_path_item(&p), good[i].item);
	}
	assert_int_equal(policy_path_parse("ab[*].c", &p), 0);
	assert_string_equal(policy_path_step(&p, 0), "ab");
	assert_null(policy_path_step(&p, 1));
	assert_string_equal(policy_path_step(&p, 2), "c");
}

static void all_else_is_none(void **state)
{
	static const char *const bad[] = {
		"",	"a..b", "a.",  ".",	"[*]a",		     "a[0]",
		"a[*",	"a]",	"a[]", "a\tb", "a.b.c.d.e.f.g.h.i", "a.[*]",
		"..a",
	};
	char long_one[2 * POLICY_PATH_BYTES];
	struct policy_path p;

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(bad); i++)
		if (policy_path_parse(bad[i], &p) == 0)
			fail_msg("%s", bad[i]);
	memset(long_one, 'a', sizeof(long_one));
	long_one[POLICY_PATH_BYTES] = '\0';
	assert_int_equal(policy_path_parse(long_one, &p), -EINVAL);
	long_one[POLICY_PATH_BYTES - 1] = '\0';
	assert_int_equal(policy_path_parse(long_one, &p), 0);
	assert_string_equal(policy_path_step(&p, 0), long_one);
}

static bool beside(const char *of, const char *other)
{
	struct policy_path a, b;

	assert_int_equal(policy_path_parse(of, &a), 0);
	assert_int_equal(policy_path_parse(other, &b), 0);
	return policy_path_beside(&a, &b);
}

static void names_stand_in_the_same_entries(void **state)
{
	(void)state;
	assert_true(beside("d[*].k", "d[*].n"));
	assert_true(beside("d[*].k", ".d[*].user.n"));
	assert_true(beside("d[*]", "d[*].n"));
	assert_true(beside("k", "n.x"));
	assert_false(beside("d[*].k", "e[*].n"));
	assert_false(beside("d[*].k", "d[*].n[*]"));
	assert_false(beside("d[*].k", "d"));
	assert_false(beside("d[*].k", "d.x[*].n"));
}

/* ---- answers ---- */

static struct policy_devices_paths paths_of(const char *key, const char *name,
					    const char *where)
{
	struct policy_devices_paths p = { .key = { .n = 0 } };

	assert_int_equal(policy_path_parse(key, &p.key), 0);
	if (name != NULL)
		assert_int_equal(policy_path_parse(name, &p.name), 0);
	if (where != NULL)
		assert_int_equal(policy_path_parse(where, &p.where), 0);
	return p;
}

static const char bb[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
			 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/* What is found, as "1 in 2 out 3 skipped TEXT"; of none what is wrong. */
static const char *found(const struct policy_devices_paths *p, const char *json)
{
	static char said[4096];
	struct policy_devices_found n = { 0 };
	struct hd_error err = { "" };
	char *text = NULL;

	if (policy_devices_read(p, json, strlen(json), &text, &n, &err) < 0) {
		assert_null(text);
		return strcpy(said, err.text);
	}
	snprintf(said, sizeof(said), "%zu %zu %zu %s", n.n, n.left_out,
		 n.skipped, text);
	free(text);
	return said;
}

static void as_tailscale_has_it(void **state)
{
	const struct policy_devices_paths p = paths_of("devices[*].nodeKey",
						       "devices[*].name",
						       "devices[*].authorized");
	char want[512];

	(void)state;
	snprintf(want, sizeof(want), "2 2 1 %s cat.ts.net\n%s \n", AA, bb);
	assert_string_equal(
		found(&p, "{\"devices\":["
			  "{\"nodeKey\":\"" A "\",\"name\":\"cat.ts.net\","
			  "\"authorized\":true,\"id\":12345678901234567890},"
			  "{\"nodeKey\":\"" B "\",\"name\":\"a\\nb\","
			  "\"authorized\":true},"
			  "{\"nodeKey\":\"" A "\",\"authorized\":false},"
			  "{\"nodeKey\":\"" A "\"},"
			  "{\"nodeKey\":\"\",\"authorized\":true}]}"),
		want);
	assert_string_equal(found(&p, "{\"devices\":[]}"), "0 0 0 ");
	assert_string_equal(found(&p, "{\"devices\":null}"), "0 0 0 ");
}

static void as_others_have_it(void **state)
{
	const struct policy_devices_paths list = paths_of("[*]", NULL, NULL);
	const struct policy_devices_paths map =
		paths_of("Peer[*].PublicKey", "Peer[*].HostName", NULL);
	const struct policy_devices_paths deep =
		paths_of("users[*].devices[*].key", NULL, NULL);
	const struct policy_devices_paths one =
		paths_of("node.key", NULL, NULL);
	char want[512];

	(void)state;
	snprintf(want, sizeof(want), "2 0 0 %s \n%s \n", AA, bb);
	assert_string_equal(found(&list, "[\"" A "\",\"" BB "\"]"), want);
	assert_string_equal(
		found(&deep, "{\"users\":[{\"devices\":[{\"key\":\"" A "\"}]},"
			     "{},{\"devices\":[{\"key\":\"" B "\"}]}]}"),
		want);
	snprintf(want, sizeof(want), "1 0 0 %s cat\n", AA);
	assert_string_equal(found(&map, "{\"Peer\":{\"x\":{\"PublicKey\":\"" A
					"\",\"HostName\":\"cat\"}}}"),
			    want);
	snprintf(want, sizeof(want), "1 0 0 %s \n", AA);
	assert_string_equal(found(&one, "{\"node\":{\"key\":\"" A "\"}}"),
			    want);
}

/* Whoever answers so has not said that nobody is there. */
static void what_is_no_list_changes_nothing(void **state)
{
	const struct policy_devices_paths p =
		paths_of("devices[*].nodeKey", NULL, NULL);
	static const struct {
		const char *json, *why;
	} bad[] = {
		{ "", "no JSON" },
		{ "{\"devices\":[", "no JSON" },
		{ "<html>", "no JSON" },
		{ "{\"devices\":[],\"devices\":[]}", "no JSON" },
		{ "{}", "no list" },
		{ "[]", "no list" },
		{ "{\"message\":\"not found\"}", "no list" },
		{ "{\"devices\":\"" A "\"}", "no list" },
		{ "{\"devices\":[{\"key\":\"" A "\"}]}", "no key" },
		{ "{\"devices\":[{\"nodeKey\":1}]}", "no key" },
		{ "{\"devices\":[{\"nodeKey\":\"" A "x\"}]}", "no key" },
		{ "{\"devices\":[{\"nodeKey\":\"" A "\\u0000\"}]}", "no key" },
		{ "{\"devices\":[{\"nodeKey\":\"mkey:" AA "\"}]}", "no key" },
		{ "{\"devices\":[null,[],\"\"]}", "no key" },
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(bad); i++)
		if (strstr(found(&p, bad[i].json), bad[i].why) == NULL)
			fail_msg("%s: %s", bad[i].json, found(&p, bad[i].json));
}

/* Another API, or a name that is mistyped; and a tree without end. */
static void nor_what_has_no_where_or_no_end(void **state)
{
	static char json[2000002];
	struct policy_devices_paths p = paths_of("[*].k", NULL, "[*].ok");

	(void)state;
	assert_string_equal(found(&p, "[{\"ok\":false}]"), "0 1 0 ");
	assert_non_null(strstr(found(&p, "[{},{\"ok\":1}]"), "in 2 entries"));
	memset(json, ',', sizeof(json) - 1);
	assert_non_null(strstr(found(&p, json), "more than 2000000 values"));
}

/* ---- lists ---- */

static struct policy_device_list *list_of(unsigned char id, const char *text)
{
	const struct hd_key key = key_of(id);
	struct policy_keys keys;
	struct hd_error err;

	assert_int_equal(policy_keys_parse("x", text, &keys, &err), 0);
	return policy_device_list_new(&key, &keys);
}

static void a_set_has_the_last_of_each(void **state)
{
	const struct policy_devices_rule rule = { .id = key_of(1) };
	const struct policy_devices_rule other = { .id = key_of(2) };
	const struct hd_key a = key_of(0xaa), b = key_of(0xbb);
	struct policy_device_list *l = list_of(1, AA " cat\n");
	struct policy_devices *one = policy_devices_with(NULL, l), *two;
	const char *name = NULL;

	(void)state;
	policy_device_list_drop(&l);
	assert_int_equal(policy_devices_ask(one, &rule, &a, &name),
			 POLICY_LISTED_YES);
	assert_string_equal(name, "cat");
	assert_int_equal(policy_devices_ask(one, &rule, &b, &name),
			 POLICY_LISTED_NO);
	assert_int_equal(policy_devices_ask(one, &other, &a, &name),
			 POLICY_LISTED_UNKNOWN);
	assert_int_equal(policy_devices_ask(NULL, &rule, &a, &name),
			 POLICY_LISTED_UNKNOWN);
	l = list_of(1, BB "\n");
	two = policy_devices_with(one, l);
	policy_device_list_drop(&l);
	assert_int_equal(policy_devices_ask(one, &rule, &a, &name),
			 POLICY_LISTED_YES);
	policy_devices_drop(&one);
	assert_int_equal(policy_devices_ask(two, &rule, &a, &name),
			 POLICY_LISTED_NO);
	policy_devices_drop(&two);
}

static void the_same_is_keys_and_names(void **state)
{
	struct policy_device_list *a = list_of(1, AA " cat\n" BB "\n");
	struct policy_device_list *v[] = {
		list_of(1, BB "\n" AA " cat\n"), list_of(1, AA " cat\n"),
		list_of(1, AA " dog\n" BB "\n"), list_of(1, ""), NULL
	};

	(void)state;
	assert_true(policy_device_list_same(a, v[0]));
	for (size_t i = 1; i < HD_ARRAY_N(v); i++)
		assert_false(policy_device_list_same(a, v[i]));
	for (size_t i = 0; i < HD_ARRAY_N(v); i++)
		policy_device_list_drop(&v[i]);
	policy_device_list_drop(&a);
}

/* ---- rules ---- */

static char token_path[] = "/tmp/hd-devices-XXXXXX";

static int make_token(void **state)
{
	FILE *f = fdopen(mkstemp(token_path), "w");

	(void)state;
	fputs("tskey-api-x \n", f);
	return fclose(f);
}

static int remove_token(void **state)
{
	(void)state;
	return unlink(token_path);
}

static const char *refused(const struct policy_rule_conf *c)
{
	static struct hd_error err;
	struct policy_devices_rule r = { .url = NULL };

	err.text[0] = '\0';
	policy_devices_take(c, &r, &err);
	policy_devices_rule_free(&r);
	return err.text;
}

static void a_token_is_for_the_other_side_alone(void **state)
{
	static const struct {
		const char *url;
		bool good;
	} urls[] = {
		{ "https://api.example/d", true },
		{ "http://127.0.0.1:80/d", true },
		{ "http://[::1]:80/d", true },
		{ "http://LOCALHOST/d", true },
		{ "http://unix:/run/x.sock:/d", true },
		{ "http://api.example/d", false },
		{ "http://127.0.0.1.example/d", false },
		{ "http://localhost.example/d", false },
		{ "http://127.0.0.1@api.example/d", false },
		{ "http://localhost:x@api.example/d", false },
		{ "http://[::2]/d", false },
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(urls); i++) {
		const struct policy_rule_conf c = {
			.devices = urls[i].url,
			.devices_token_file = token_path
		};

		if ((refused(&c)[0] == '\0') != urls[i].good)
			fail_msg("%s: %s", urls[i].url, refused(&c));
	}
}

static void what_a_rule_may_want(void **state)
{
	struct policy_rule_conf c = { .devices_path = "a" };

	(void)state;
	assert_non_null(strstr(refused(&c), "without devices"));
	c.devices = "ftp://example/";
	assert_non_null(strstr(refused(&c), "devices: "));
	c.devices = "https://user:s3cret@example/";
	assert_non_null(strstr(refused(&c), "is logged and shown"));
	assert_null(strstr(refused(&c), "s3cret"));
	c.devices = "http://example/@";
	assert_string_equal(refused(&c), "");
	c.devices_path = "a[0]";
	assert_non_null(strstr(refused(&c), "is not a path"));
	c.devices_path = "a[*].k";
	c.devices_where = "b[*].ok";
	assert_non_null(strstr(refused(&c), "devices_where: it must begin"));
	c.devices_where = NULL;
	c.devices_token_file = "/nowhere/token";
	c.devices = "https://example/";
	assert_non_null(strstr(refused(&c), "/nowhere/token"));
}

static void another_wish_is_another_list(void **state)
{
	struct policy_rule_conf c = { .devices = "http://example/" };
	struct policy_devices_rule a, b;
	struct hd_error err;

	(void)state;
	assert_int_equal(policy_devices_take(&c, &a, &err), 0);
	c.devices_path = "devices[*].nodeKey"; /* and nobody is left out */
	assert_int_equal(policy_devices_take(&c, &b, &err), 0);
	assert_memory_not_equal(&a.id, &b.id, sizeof(a.id));
	assert_int_equal(a.paths.where.n, 3);
	assert_int_equal(b.paths.where.n, 0);
	policy_devices_rule_free(&a);
	policy_devices_rule_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_is_names_and_each),
		cmocka_unit_test(all_else_is_none),
		cmocka_unit_test(names_stand_in_the_same_entries),
		cmocka_unit_test(as_tailscale_has_it),
		cmocka_unit_test(as_others_have_it),
		cmocka_unit_test(what_is_no_list_changes_nothing),
		cmocka_unit_test(nor_what_has_no_where_or_no_end),
		cmocka_unit_test(a_set_has_the_last_of_each),
		cmocka_unit_test(the_same_is_keys_and_names),
		cmocka_unit_test(a_token_is_for_the_other_side_alone),
		cmocka_unit_test(what_a_rule_may_want),
		cmocka_unit_test(another_wish_is_another_list),
	};

	return cmocka_run_group_tests(tests, make_token, remove_token);
}
