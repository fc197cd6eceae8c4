/* SPDX-License-Identifier: MIT */
/* t/unit/policy_roles.c - what rules say of other relays. */
#include "t/unit/policy_decide.h"

static struct policy_decision decide_of(const struct policy_worker *pw,
					bool mesh)
{
	const struct policy_subject who = { .key = &asked_key, .mesh = mesh };
	struct policy_decision d;

	policy_decide(pw, &who, POLICY_LOGIN, &d);
	return d;
}

/* Whom no rule of theirs matches is let in by the mesh key alone, whatever
 * happens to clients. */
static void other_relays_need_no_rule(void **state)
{
	static const struct policy_rule_conf rules[] = { { .url = A } };
	struct policy_worker pw = worker_of(rules, 1);
	struct policy_decision d;

	(void)state;
	conf.fail_open = false;
	say(&pw, A, 'f');
	pw.rules->deny = true;
	assert_true(decide_of(&pw, false).deny);
	d = decide_of(&pw, true);
	assert_false(d.deny);
	assert_true(policy_is_mesh(&d, true));
	pw.rules->deny = false;
	d = decide_of(&pw, false);
	assert_false(policy_is_mesh(&d, false));
	assert_string_equal(policy_role_of(&d, false), "client");
	worker_end(&pw);
}

/* What a service says beside yes is of clients: no tenant for a relay. */
static void a_service_gives_relays_nothing(void **state)
{
	static const struct policy_rule_conf rules[] = {
		{ .url = A, .mesh = true },
		{ .url = B, .mesh = true, .role = POLICY_ROLE_CLIENT },
	};
	struct policy_worker pw = worker_of(rules, 2);
	struct policy_decision d;

	(void)state;
	say(&pw, A, 'y');
	say(&pw, B, 'y');
	strcpy(about(&pw, A)->extra.tenant, "a");
	strcpy(about(&pw, B)->extra.tenant, "b");
	d = decide_of(&pw, true);
	assert_string_equal(policy_role_of(&d, true), "mesh");
	assert_string_equal(policy_tenant_of(&d), "");
	say(&pw, A, 'n');
	d = decide_of(&pw, true);
	assert_string_equal(policy_role_of(&d, true), "client");
	assert_string_equal(policy_tenant_of(&d), "b");
	worker_end(&pw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_relays_need_no_rule),
		cmocka_unit_test(a_service_gives_relays_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
