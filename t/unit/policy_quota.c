/* SPDX-License-Identifier: MIT */
/* t/unit/policy_quota.c - lists of tenants that have used their quotas. */
#include "modules/policy/quota.h"
#include <errno.h>
#include <string.h>
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
	struct hd_limits l = policy_quota_limits(&two[1], &none);

	(void)state;
	assert_int_equal(l.bytes_per_s, 1000);
	assert_int_equal(l.connections, 5);
	l = policy_quota_limits(&two[1], &more);
	assert_int_equal(l.bytes_per_s, 1000);
	assert_int_equal(l.burst_bytes, 0);
	l = policy_quota_limits(&two[1], &less);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(a_slow_tenant_keeps_what_is_less),
		cmocka_unit_test(nothing_to_compare_with),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
