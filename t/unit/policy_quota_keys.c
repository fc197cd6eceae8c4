/* SPDX-License-Identifier: MIT */
/* t/unit/policy_quota_keys.c - what is said of keys that have used much, and
 * the list of them; how many accounts there may be. */
#include <stdio.h>
#include <stdlib.h>
#include "modules/policy/policy.h"
#include "t/unit/policy_key.h"
#include "t/unit/unit.h"

/* ---- in place of the rest of the module ---- */

static struct ledger *now;
static struct policy_rules *rules;
static unsigned said[POLICY_QUOTA_USED + 1];

const struct ledger *account_now(unsigned *ret_month)
{
	*ret_month = 0;
	return now;
}

const struct policy_rules *policy_rules_now(void)
{
	return rules;
}

void policy_quota_said(bool of_key, enum policy_quota_level level)
{
	assert_true(of_key);
	said[level]++;
}

size_t policy_key_text(const struct hd_key *key,
		       char ret[POLICY_KEY_TEXT_BYTES])
{
	(void)key;
	ret[0] = '\0';
	return 0;
}

/* ---- the test ---- */

static int begin(void **state)
{
	(void)state;
	memset(said, 0, sizeof(said));
	now = ledger_new();
	rules = calloc(1, sizeof(*rules) + 2 * sizeof(rules->v[0]));
	rules->n = 2;
	rules->v[0].quota.bytes = 100;
	rules->v[1].quota.bytes = 1000;
	(void)policy_quota_keys_look(now);
	return 0;
}

static int end(void **state)
{
	(void)state;
	policy_quota_keys_end();
	ledger_free(&now);
	free(rules);
	return 0;
}

/* A connection of key 1 has moved n bytes. @quota  of its rule */
static void count(uint64_t n, uint64_t quota)
{
	const struct hd_key key = key_of(1);
	const struct account_counts more = { { [ACCOUNT_BYTES_IN] = n } };
	struct account *a = ledger_account(now, "", &key, "", 10);

	ledger_add(now, a, &more);
	policy_quota_count(a, quota);
}

static uint64_t listed(void)
{
	const struct hd_key key = key_of(1);

	return policy_over_used(policy_quota_keys_look(now), "", &key);
}

/* A client comes anew, or has two connections: its rule is not known yet. */
static void a_new_connection_takes_nothing_back(void **state)
{
	(void)state;
	count(85, 100);
	for (unsigned i = 0; i < 5; i++) {
		count(1, 0);
		count(1, 100);
	}
	assert_int_equal(said[POLICY_QUOTA_NEAR], 1);
	count(20, 100);
	count(1, 0);
	count(1, 100);
	assert_int_equal(said[POLICY_QUOTA_USED], 1);
	assert_int_equal(said[POLICY_QUOTA_WELL], 0);
}

static void two_rules_do_not_take_turns(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 30; i++) {
		count(10, 100);
		count(10, 1000);
		(void)policy_quota_keys_look(now);
	}
	assert_int_equal(said[POLICY_QUOTA_NEAR], 1);
	assert_int_equal(said[POLICY_QUOTA_USED], 1);
	assert_int_equal(said[POLICY_QUOTA_WELL], 0);
	for (unsigned i = 0; i < 60; i++)
		(void)policy_quota_keys_look(now);
	count(1, 1000);
	assert_int_equal(said[POLICY_QUOTA_WELL], 1);
}

static void a_quota_that_is_raised(void **state)
{
	(void)state;
	count(150, 100);
	assert_int_equal(said[POLICY_QUOTA_USED], 1);
	assert_int_equal(listed(), 150);
	rules->v[0].quota.bytes = 500;
	(void)policy_quota_keys_look(now);
	count(1, 500);
	assert_int_equal(said[POLICY_QUOTA_WELL], 1);
	assert_int_equal(listed(), 0);
}

/* The next month's may stand where the last one's did. */
static void a_ledger_at_the_same_place(void **state)
{
	struct ledger *next = ledger_new(), last = *now;

	(void)state;
	count(150, 100);
	assert_int_equal(listed(), 150);
	last = *now;
	*now = *next;
	assert_int_equal(listed(), 0);
	*next = last;
	ledger_free(&next);
}

/* As by a service that names another one in each of its answers. */
static void tenants_without_end(void **state)
{
	const struct hd_key key = key_of(1);
	const struct account *first, *last = NULL;
	char name[16];

	(void)state;
	first = ledger_account(now, "first", &key, "", 10);
	for (unsigned i = 0; i < 3 * LEDGER_TENANTS_MAX; i++) {
		snprintf(name, sizeof(name), "t%u", i);
		last = ledger_account(now, name, &key, "", 10);
	}
	assert_in_range(now->n, LEDGER_TENANTS_MAX, LEDGER_TENANTS_MAX + 10);
	assert_string_equal(last->tenant->name, "");
	assert_ptr_equal(ledger_account(now, "first", &key, "", 10), first);
	last = ledger_account(now, "t9", &key, "", 10);
	assert_string_equal(last->tenant->name, "t9");
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_new_connection_takes_nothing_back),
		CASE(two_rules_do_not_take_turns),
		CASE(a_quota_that_is_raised),
		CASE(a_ledger_at_the_same_place),
		CASE(tenants_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
