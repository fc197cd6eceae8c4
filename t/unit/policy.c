/* SPDX-License-Identifier: MIT */
/* t/unit/policy.c - rules, limits and revocations. */
#include "modules/policy/service.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "t/unit/policy_key.h"
#include "t/unit/unit.h"

/* In place of decide.c: nobody logs in here. */
const struct policy_conf *policy_conf_of(const struct policy_worker *pw)
{
	(void)pw;
	return NULL;
}

bool __wrap_hd_conf_has_listener(const char *name);

bool __wrap_hd_conf_has_listener(const char *name)
{
	return strcmp(name, "public") == 0;
}

/* ---- rules ---- */

static const char *const office[] = { "192.0.2.0/24", "2001:db8::/32" };

static const struct policy_rule_conf rule_confs[] = {
	{ .name = "banned",
	  .action = POLICY_DENY,
	  .from = { .v = office, .n = 1 },
	  .listener = "public" },
	{ .from = { .v = office, .n = 2 } },
	{ .name = "vpn", .server_name = "VPN.example" },
	{ .name = "cats", .app_name = "cat" },
};

#define WHO(from_, listener_, host, app)                                       \
	{                                                                      \
		.key = &key, .from = from_, .listener = listener_,             \
		.server_name = host, .app_name = app,                          \
	}

static void first_match(void **state)
{
	const struct policy_conf conf = {
		.rules = { .v = rule_confs, .n = HD_ARRAY_N(rule_confs) },
		.otherwise = POLICY_DENY,
	};
	const struct hd_key key = key_of(1);
	const union hd_addr in = addr_of("192.0.2.7"),
			    out = addr_of("198.51.100.1");
	const struct {
		struct policy_subject who;
		const char *rule; /* NULL: none */
		bool deny;
	} cases[] = {
		{ WHO(&in, "public", NULL, NULL), "banned", true },
		{ WHO(&in, "private", NULL, NULL), "#2", false },
		{ WHO(&in, NULL, "vpn.example", NULL), "#2", false },
		{ WHO(&out, "public", "vpn.example", NULL), "vpn", false },
		{ WHO(&out, "public", NULL, NULL), NULL, true },
		{ WHO(NULL, "public", NULL, NULL), NULL, true },
		{ WHO(&out, NULL, NULL, "cat"), "cats", false },
		{ WHO(&out, NULL, NULL, "Cat"), NULL, true },
		{ WHO(&out, NULL, NULL, ""), NULL, true },
	};
	struct policy_rules *rules;
	struct policy_verdict v;
	struct hd_error err;

	(void)state;
	assert_int_equal(policy_rules_new(&conf, &rules, &err), 0);
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		policy_rules_ask(rules, 0, &cases[i].who, &v);
		assert_int_equal(v.deny, cases[i].deny);
		if (cases[i].rule == NULL)
			assert_null(v.rule);
		else
			assert_string_equal(v.rule->label, cases[i].rule);
	}
	policy_rules_drop(&rules);
}

static void no_rules(void **state)
{
	struct policy_conf conf = { .otherwise = POLICY_ALLOW };
	const struct hd_key key = key_of(1);
	const struct policy_subject who = { .key = &key };
	struct policy_rules *rules, *other;
	struct policy_verdict v;
	struct hd_error err;

	(void)state;
	assert_int_equal(policy_rules_new(&conf, &rules, &err), 0);
	other = policy_rules_hold(rules);
	policy_rules_drop(&rules);
	policy_rules_ask(other, 0, &who, &v);
	assert_false(v.deny);
	policy_rules_drop(&other);
}

static void bad_rules(void **state)
{
	static const char *const wrong[] = { "192.0.2.1/24" };
	static const struct policy_rule_conf bad[] = {
		{ .from = { .v = office, .n = 1 } },
		{ .from = { .v = wrong, .n = 1 },
		  .at_from = { .file = "hd.yaml", .line = 7 } },
	};
	const struct policy_conf conf = { .rules = { .v = bad, .n = 2 } };
	struct policy_rules *rules;
	struct hd_error err;

	(void)state;
	assert_int_equal(policy_rules_new(&conf, &rules, &err), -EDOM);
	assert_null(rules);
	assert_non_null(strstr(err.text, "hd.yaml:7: from: 192.0.2.1/24"));
}

/* A value that was left out must not make a rule for everybody. */
static void rules_for_nobody_in_particular(void **state)
{
	static const char *const none[1];
	const struct hd_place at = { .file = "hd.yaml", .line = 7 };
	const struct {
		struct policy_rule_conf rule;
		const char *why;
	} cases[] = {
		{ { .at = at, .name = "all" },
		  "hd.yaml:7: a rule that matches everybody; name keys" },
		{ { .at_from = at, .from = { .v = none, .n = 0 } },
		  "hd.yaml:7: from is empty; write" },
		{ { .at_keys = at, .keys = "" }, "hd.yaml:7: keys is empty" },
		{ { .at_url = at, .url = "" }, "hd.yaml:7: url is empty" },
		{ { .at_listener = at, .listener = "" },
		  "hd.yaml:7: listener is empty" },
		{ { .at_listener = at, .listener = "pubic" },
		  "hd.yaml:7: listener: no entry of `listen` has the name "
		  "pubic" },
		{ { .at_server_name = at, .server_name = "" },
		  "hd.yaml:7: server_name is empty" },
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		const struct policy_conf conf = {
			.rules = { .v = &cases[i].rule, .n = 1 }
		};
		struct policy_rules *rules;
		struct hd_error err;

		assert_int_equal(policy_rules_new(&conf, &rules, &err),
				 -EINVAL);
		assert_null(rules);
		assert_non_null(strstr(err.text, cases[i].why));
	}
}

/* A rule is of clients, or of other relays; never of both. */
static void rules_of_other_relays(void **state)
{
	static const struct policy_rule_conf both[] = {
		{ .name = "clients", .from = { .v = office, .n = 1 } },
		{ .name = "relays",
		  .from = { .v = office, .n = 1 },
		  .mesh = true },
	};
	const struct policy_conf conf = { .rules = { .v = both, .n = 2 } };
	const struct hd_key key = key_of(1);
	const union hd_addr in = addr_of("192.0.2.7");
	struct policy_subject who = { .key = &key, .from = &in };
	struct policy_rules *rules;
	struct policy_verdict v;
	struct hd_error err;

	(void)state;
	assert_int_equal(policy_rules_new(&conf, &rules, &err), 0);
	policy_rules_ask(rules, 0, &who, &v);
	assert_string_equal(v.rule->label, "clients");
	who.mesh = true;
	policy_rules_ask(rules, 0, &who, &v);
	assert_string_equal(v.rule->label, "relays");
	policy_rules_drop(&rules);
}

static int role_checked(struct policy_rule_conf c)
{
	return policy_role_check(&c, NULL);
}

static void roles_that_are_wrong(void **state)
{
	static const struct policy_limits_conf some = { .bytes_per_s = 1 };
	const struct policy_rule_conf by_address = {
		.from = { .v = office, .n = 1 },
		.url = "https://a.example/",
		.token_file = "tokens",
		.devices = "https://b.example/",
		.role = POLICY_ROLE_MESH,
	};
	struct policy_rule_conf c = by_address;

	(void)state;
	assert_int_equal(role_checked(by_address), -EINVAL);
	c.keys = "relays";
	assert_int_equal(role_checked(c), 0);
	c.tenant = "a";
	assert_int_equal(role_checked(c), -EINVAL);
	c.role = POLICY_ROLE_CLIENT;
	assert_int_equal(role_checked(c), 0);
	c = (struct policy_rule_conf){ .mesh = true };
	assert_int_equal(role_checked(c), 0);
	c.limits = (struct policy_limits_list){ &some, 1 };
	assert_int_equal(role_checked(c), -EINVAL);
	c.role = POLICY_ROLE_CLIENT;
	assert_int_equal(role_checked(c), 0);
	c = (struct policy_rule_conf){ .action = POLICY_DENY, .mesh = true };
	assert_int_equal(role_checked(c), 0);
	c.role = POLICY_ROLE_CLIENT;
	assert_int_equal(role_checked(c), -EINVAL);
}

/* ---- revocations ---- */

static struct policy_revoked *with(struct policy_revoked *old,
				   unsigned char key, int64_t until_s)
{
	struct policy_revocation x = { .key = key_of(key), .until_s = until_s };
	struct policy_revoked *r = policy_revoked_with(old, &x);

	assert_non_null(r);
	policy_revoked_drop(&old);
	return r;
}

static bool has(const struct policy_revoked *r, unsigned char key, time_t now)
{
	struct hd_key k = key_of(key);

	return policy_revoked_find(r, &k, now) != NULL;
}

static void revocations(void **state)
{
	time_t now = time(NULL);
	struct policy_revoked *r = calloc(1, sizeof(*r)), *less;
	struct hd_key two = key_of(2);

	(void)state;
	r->holders = 1;
	r = with(with(with(r, 3, 0), 1, now + 100), 2, 0);
	assert_int_equal(r->n, 3);
	assert_true(has(r, 1, now) && has(r, 2, now) && has(r, 3, now));
	assert_false(has(r, 4, now));
	assert_false(has(r, 1, now + 100));
	assert_true(has(r, 2, now + 100));
	r = with(r, 2, now + 50); /* in place of the one before */
	assert_int_equal(r->n, 3);
	assert_false(has(r, 2, now + 50));
	r = with(r, 9, now - 1); /* over at once: the next change drops it */
	assert_false(has(r, 9, now));
	less = policy_revoked_without(r, &two);
	assert_int_equal(less->n, 2);
	assert_false(has(less, 2, now));
	policy_revoked_drop(&less);
	policy_revoked_drop(&r);
}

/* ---- limits ---- */

static void limits_are_given(void **state)
{
	static const struct policy_limits_conf mine = { 1000, 70000, 20, 3 },
					       all = { 9000, 0, 0, 40 };
	static const struct policy_rule_conf rules[] = {
		{ .url = "https://a.example/",
		  .tenant = "a",
		  .limits = { &mine, 1 } },
		{ .url = "https://b.example/", .tenant = "b" },
		{ .url = "https://c.example/" },
	};
	static const struct policy_tenant_conf tenants[] = {
		{ .name = "c", .limits = { &mine, 1 } },
		{ .name = "a", .limits = { &all, 1 } },
	};
	const struct policy_conf conf = {
		.rules = { .v = rules, .n = 3 },
		.tenants = { .v = tenants, .n = 2 },
	};
	static const struct hd_limits none;
	struct hd_limits l[HD_LIMITS_N] = { none, none };

	(void)state;
	assert_int_equal(policy_limits_check(&conf, NULL), 0);
	assert_int_equal(policy_limits_take(&conf, &rules[0], l, NULL), 0);
	assert_int_equal(l[HD_LIMITS_KEY].bytes_per_s, 1000);
	assert_int_equal(l[HD_LIMITS_KEY].burst_bytes, 70000);
	assert_int_equal(l[HD_LIMITS_KEY].packet_bytes, 20);
	assert_int_equal(l[HD_LIMITS_KEY].connections, 3);
	assert_int_equal(l[HD_LIMITS_TENANT].bytes_per_s, 9000);
	assert_int_equal(l[HD_LIMITS_TENANT].connections, 40);
	for (unsigned i = 1; i < 3; i++) {
		l[HD_LIMITS_KEY] = l[HD_LIMITS_TENANT] = none;
		assert_int_equal(policy_limits_take(&conf, &rules[i], l, NULL),
				 0);
		assert_memory_equal(&l[HD_LIMITS_KEY], &none, sizeof(none));
		assert_memory_equal(&l[HD_LIMITS_TENANT], &none, sizeof(none));
	}
}

static void limits_that_are_wrong(void **state)
{
	static const struct policy_limits_conf some = { .bytes_per_s = 1 };
	static const struct policy_tenant_conf twice[] = { { .name = "a" },
							   { .name = "a" } },
					       unnamed[] = {
						       { .name = "a b" }
					       };
	const struct policy_rule_conf denies = {
		.action = POLICY_DENY,
		.limits = { &some, 1 },
	};
	struct policy_conf conf = { .tenants = { .v = twice, .n = 2 } };
	struct hd_limits l[HD_LIMITS_N];
	struct hd_error err;

	(void)state;
	assert_int_equal(policy_limits_check(&conf, &err), -EINVAL);
	assert_non_null(strstr(err.text, "tenant a is there twice"));
	conf.tenants.v = unnamed;
	conf.tenants.n = 1;
	assert_int_equal(policy_limits_check(&conf, &err), -EINVAL);
	assert_non_null(strstr(err.text, "\"a b\" is not a tenant"));
	assert_int_equal(policy_limits_take(&conf, &denies, l, &err), -EINVAL);
	assert_non_null(strstr(err.text, "a rule that denies cannot have"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_are_given),
		cmocka_unit_test(limits_that_are_wrong),
		cmocka_unit_test(first_match),
		cmocka_unit_test(no_rules),
		cmocka_unit_test(bad_rules),
		cmocka_unit_test(rules_for_nobody_in_particular),
		cmocka_unit_test(rules_of_other_relays),
		cmocka_unit_test(roles_that_are_wrong),
		cmocka_unit_test(revocations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
