/* SPDX-License-Identifier: MIT */
/* t/unit/policy_named.c - how many tenants one service may name. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "modules/policy/service.h"
#include "t/unit/unit.h"

#define A "http://a.example/"
#define B "http://b.example/"

static const char *left; /* nobody is of this one; of all others, somebody */

/* In place of the relay's. */
bool hd_tenant_is_used(const char *name)
{
	return left == NULL || strcmp(name, left) != 0;
}

static const char *nth(unsigned i)
{
	static char name[16];

	snprintf(name, sizeof(name), "t%u", i);
	return name;
}

static int down(void **state)
{
	(void)state;
	policy_named_end();
	return 0;
}

static void one_service_has_its_part(void **state)
{
	(void)state;
	for (unsigned i = 0; i < POLICY_NAMED_MAX; i++)
		assert_int_equal(policy_named(A, nth(i), 1000), 0);
	assert_int_equal(policy_named(A, "more", 1000), -ENOSPC);
	assert_int_equal(policy_named(A, nth(0), 1000), 0);
	assert_int_equal(policy_named(B, "more", 1000), 0);
}

/* Not at once: a login may be on its way there. It is found, wherever it is,
 * and the others stay. */
static void who_has_nobody_makes_room(void **state)
{
	int r = -ENOSPC;

	(void)state;
	for (unsigned i = 0; i < POLICY_NAMED_MAX; i++)
		policy_named(A, nth(i), 1000);
	left = "t200";
	assert_int_equal(policy_named(A, "more", 10999), -ENOSPC);
	for (unsigned i = 0; r < 0 && i < POLICY_NAMED_MAX; i++)
		r = policy_named(A, "more", 11000);
	assert_int_equal(r, 0);
	assert_int_equal(policy_named(A, "t200", 11000), -ENOSPC);
	assert_int_equal(policy_named(A, "t201", 11000), 0);
	left = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(one_service_has_its_part, down),
		cmocka_unit_test_teardown(who_has_nobody_makes_room, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
