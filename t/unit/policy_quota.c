/* SPDX-License-Identifier: MIT */
/* t/unit/policy_quota.c - lists of tenants that have used their quotas. */
#include "modules/policy/policy.h"
#include <errno.h>
#include <string.h>
#include "t/unit/policy_key.h"
#include "t/unit/unit.h"

static const struct policy_spent two[] = { { "b", true, 0 },
					   { "a", false, 1000 } };

static void lists(void **state)
{
	struct policy_quotas *q = policy_quotas_new(two, 2),
			     *one = policy_quotas_new(two, 1),
			     *none = policy_quotas_new(two, 0),
			     *same = policy_quotas_new(two, 2);

	(void)state;
	assert_true(policy_quotas_find(q, "b")->denies);
	assert_int_equal(policy_quotas_find(q, "a")->bytes_per_s, 1000);
	assert_null(policy_quotas_find(q, ""));
	assert_null(policy_quotas_find(one, "a"));
	assert_null(policy_quotas_find(NULL, "a"));
	assert_true(policy_quotas_same(q, same));
	assert_false(policy_quotas_same(q, one));
	assert_true(policy_quotas_same(none, NULL));
	same->v[1].bytes_per_s++;
	assert_false(policy_quotas_same(q, same));
	assert_ptr_equal(policy_quotas_hold(q), q);
	policy_quotas_drop(&(struct policy_quotas *){ q });
	assert_string_equal(q->v[1].tenant, "a");
	policy_quotas_drop(&q);
	policy_quotas_drop(&one);
	policy_quotas_drop(&none);
	policy_quotas_drop(&same);
	policy_quotas_drop(&same);
}

static void a_slow_tenant_keeps_what_is_less(void **state)
{
	const struct hd_limits none = { .connections = 5 },
			       more = { .bytes_per_s = 5000,
					.burst_bytes = 70000 },
			       less = { .bytes_per_s = 10, .burst_bytes = 20 };
	struct hd_limits l = policy_quota_limits(1000, &none);

	(void)state;
	assert_int_equal(l.bytes_per_s, 1000);
	assert_int_equal(l.connections, 5);
	l = policy_quota_limits(1000, &more);
	assert_int_equal(l.bytes_per_s, 1000);
	assert_int_equal(l.burst_bytes, 0);
	l = policy_quota_limits(1000, &less);
	assert_int_equal(l.bytes_per_s, 10);
	assert_int_equal(l.burst_bytes, 20);
}

static void nothing_to_compare_with(void **state)
{
	static const struct policy_quota_conf some = { .bytes = 1 };
	const struct policy_tenant_conf t = { .name = "a",
					      .quota = { &some, 1 } };
	struct policy_conf conf = { .accounting = true };
	struct hd_error err;

	(void)state;
	assert_int_equal(policy_quota_check(&conf, &t, &err), 0);
	conf.accounting = false;
	assert_int_equal(policy_quota_check(&conf, &t, &err), -EINVAL);
	assert_non_null(strstr(err.text, "tenant a has one"));
}

static void keys_that_have_used_much(void **state)
{
	struct policy_over_key v[] = {
		{ key_of(2), policy_over_tenant("a"), 20 },
		{ key_of(1), policy_over_tenant("b"), 11 },
		{ key_of(1), policy_over_tenant("a"), 10 },
	};
	struct policy_over *o = policy_over_new(v, HD_ARRAY_N(v));
	const struct hd_key one = key_of(1), other = key_of(2),
			    third = key_of(3);

	(void)state;
	assert_int_equal(policy_over_used(o, "a", &one), 10);
	assert_int_equal(policy_over_used(o, "b", &one), 11);
	assert_int_equal(policy_over_used(o, "a", &other), 20);
	assert_int_equal(policy_over_used(o, "", &other), 0);
	assert_int_equal(policy_over_used(o, "a", &third), 0);
	assert_int_equal(policy_over_used(NULL, "a", &one), 0);
	policy_over_drop(&o);
}

static void levels(void **state)
{
	(void)state;
	assert_int_equal(policy_quota_level(79, 100), POLICY_QUOTA_WELL);
	assert_int_equal(policy_quota_level(80, 100), POLICY_QUOTA_NEAR);
	assert_int_equal(policy_quota_level(99, 100), POLICY_QUOTA_NEAR);
	assert_int_equal(policy_quota_level(100, 100), POLICY_QUOTA_USED);
	assert_int_equal(policy_quota_level(0, 1), POLICY_QUOTA_WELL);
}

static void what_a_rule_may_have(void **state)
{
	static const struct policy_quota_conf some = { .bytes = 7 };
	struct policy_conf conf = { .accounting = true };
	struct policy_rule_conf c = { .quota = { &some, 1 } };
	struct policy_quota_conf got = { .bytes = 0 };
	struct hd_error err;

	(void)state;
	assert_int_equal(policy_quota_take(&conf, &c, &got, &err), 0);
	assert_int_equal(got.bytes, 7);
	c.action = POLICY_DENY;
	assert_int_equal(policy_quota_take(&conf, &c, &got, &err), -EINVAL);
	assert_non_null(strstr(err.text, "a rule that denies"));
	c.action = POLICY_ALLOW;
	conf.accounting = false;
	assert_int_equal(policy_quota_take(&conf, &c, &got, &err), -EINVAL);
	assert_non_null(strstr(err.text, "nothing is counted"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(a_slow_tenant_keeps_what_is_less),
		cmocka_unit_test(nothing_to_compare_with),
		cmocka_unit_test(keys_that_have_used_much),
		cmocka_unit_test(levels),
		cmocka_unit_test(what_a_rule_may_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
