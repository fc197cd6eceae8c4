/* SPDX-License-Identifier: MIT */
/* t/unit/policy_decide.c - which rule decides, when services say yes, no,
 * nothing, or cannot be asked; and how long what they said stands. */
#include "t/unit/policy_decide.h"
#include <stdlib.h>

static const char *const office[] = { "192.0.2.0/24" };

static const struct {
	char a, b;
	bool allows; /* the last rule, which matches; else it denies */
	bool fail_open;
	char want[3]; /* of A and B that allow, of A that denies, of none */
} cases[] = {
	{ 'y', '-', false, false, "ad" },
	{ '-', 'y', false, false, "??" },
	{ 'n', '-', true, false, "??" },
	{ 'n', 'y', false, false, "aa" },
	{ 'n', 'n', true, false, "aa" },
	{ 'n', 'n', false, true, "dd" },
	{ 'f', 'y', false, false, "ad" },
	{ 'f', 'y', false, true, "aa" },
	{ 'f', 'n', true, false, "ad" },
	{ 'f', 'f', true, false, "ad" },
	{ 'f', 'f', false, true, "dd" },
	{ 'n', 'f', true, false, "aa" },
};

static char letter(const struct policy_decision *d)
{
	if (d->by == POLICY_ASK)
		return '?';
	return d->deny ? 'd' : 'a';
}

static void one_case(size_t i, enum policy_action of_a, char want)
{
	const struct policy_rule_conf rules[] = {
		{ .name = "a", .url = A, .action = of_a },
		{ .name = "b", .url = B },
		{ .name = "last",
		  .from = { .v = office, .n = 1 },
		  .action = cases[i].allows ? POLICY_ALLOW : POLICY_DENY },
	};
	struct policy_worker pw = worker_of(rules, 3);
	struct policy_decision d;

	conf.fail_open = cases[i].fail_open;
	say(&pw, A, cases[i].a);
	say(&pw, B, cases[i].b);
	d = decide(&pw, POLICY_LOGIN);
	if (letter(&d) != want)
		fail_msg("case %zu, A %s: %c, not %c", i,
			 of_a == POLICY_DENY ? "denies" : "allows", letter(&d),
			 want);
	assert_int_equal(d.deny, d.reason[0] != '\0');
	worker_end(&pw);
}

static void a_rule_decides(void **state)
{
	(void)state;
	conf.otherwise = POLICY_DENY;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		one_case(i, POLICY_ALLOW, cases[i].want[0]);
		one_case(i, POLICY_DENY, cases[i].want[1]);
	}
}

static void at_the_end_fail_open_decides(void **state)
{
	static const struct policy_rule_conf rules[] = {
		{ .name = "a", .url = A },
		{ .name = "b", .url = B },
	};
	struct policy_worker pw = worker_of(rules, 2);
	struct policy_decision d;

	(void)state;
	conf.otherwise = POLICY_DENY;
	for (unsigned i = 0; i < 2; i++) {
		conf.fail_open = i;
		say(&pw, A, 'n');
		say(&pw, B, 'f');
		d = decide(&pw, POLICY_LOGIN);
		assert_int_equal(d.by, POLICY_BY_FAILURE);
		assert_int_equal(d.deny, i == 0);
		assert_string_equal(d.rule->label, "b");
		say(&pw, B, 'n');
		d = decide(&pw, POLICY_LOGIN);
		assert_int_equal(d.by, POLICY_BY_DEFAULT);
		assert_true(d.deny);
		d = decide(&pw, POLICY_DEAD);
		assert_int_equal(d.deny, i == 0);
		assert_string_equal(d.rule->label, "a");
	}
	/* whatever it had said, all are let in */
	conf.fail_open = false;
	pw.rules->deny = false;
	say(&pw, A, 'f');
	d = decide(&pw, POLICY_LOGIN);
	assert_false(d.deny);
	worker_end(&pw);
}

static void who_is_here_stays_while_it_is_not_known(void **state)
{
	static const struct policy_rule_conf rules[] = {
		{ .name = "a", .url = A },
	};
	struct policy_worker pw = worker_of(rules, 1);
	struct policy_decision d;

	(void)state;
	conf.fail_open = false;
	d = decide(&pw, POLICY_HERE);
	assert_int_equal(d.by, POLICY_ASK);
	assert_false(d.deny);
	say(&pw, A, 'f'); /* no rule behind it puts it out */
	d = decide(&pw, POLICY_HERE);
	assert_int_equal(d.by, POLICY_ASK);
	assert_false(d.deny);
	say(&pw, A, 'n');
	d = decide(&pw, POLICY_HERE);
	assert_true(d.deny);
	worker_end(&pw);
}

static void an_answer_stands_for_a_time(void **state)
{
	static const struct policy_rule_conf rules[] = {
		{ .name = "a", .url = A },
	};
	struct policy_worker pw = worker_of(rules, 1);
	struct answer *a = about(&pw, A);
	const struct {
		uint64_t at;
		bool failed;
		char login, known; /* what a login, what who is known gets */
	} when[] = {
		{ 0, false, 'a', 'a' },	   { 999, false, 'a', 'a' },
		{ 1000, false, '?', 'a' }, { 1000, true, 'a', 'a' },
		{ 2999, true, 'a', 'a' },  { 3000, true, 'd', 'd' },
		{ 3000, false, '?', '?' },
	};

	(void)state;
	conf.fail_open = false;
	for (size_t i = 0; i < HD_ARRAY_N(when); i++) {
		struct policy_decision d;

		now_ms = when[i].at;
		*a = (struct answer){ .key = asked_key,
				      .said = true,
				      .allow = true,
				      .known = a->known,
				      .fresh_until_ms = 1000,
				      .stale_until_ms = 3000,
				      .failed_until_ms =
					      when[i].failed ? now_ms + 1 : 0,
				      .prev = a->prev,
				      .next = a->next,
				      .hh = a->hh };
		d = decide(&pw, POLICY_LOGIN);
		assert_int_equal(letter(&d), when[i].login);
		d = decide(&pw, POLICY_KNOWN);
		assert_int_equal(letter(&d), when[i].known);
	}
	now_ms = 0;
	worker_end(&pw);
}

static void what_was_taken_is_renewed(void **state)
{
	static const struct policy_rule_conf rules[] = {
		{ .name = "a", .url = A },
		{ .name = "b", .url = B },
		{ .name = "more", .url = A "more" },
	};
	struct policy_worker pw = worker_of(rules, 3);
	const struct policy_subject who = { .key = &asked_key };
	struct policy_decision d;

	(void)state;
	say(&pw, A, 'n');
	say(&pw, B, 'y');
	d = decide(&pw, POLICY_KNOWN);
	renewed = 0;
	policy_renew(&pw, &who, &d);
	assert_int_equal(renewed, 2);
	assert_false(policy_renew_owed(&pw, &who, &d));
	assert_int_equal(renewed, 2);
	owes = true;
	assert_true(policy_renew_owed(&pw, &who, &d));
	assert_int_equal(renewed, 4);
	owes = false;
	worker_end(&pw);
}

/* ---- room ---- */

static struct answer *nth(struct service *s, uint32_t i)
{
	struct hd_key k = { .b = { 0 } };

	memcpy(k.b, &i, sizeof(i));
	return policy_answer_of(s, &k);
}

static bool is_there(struct service *s, uint32_t i)
{
	struct hd_key k = { .b = { 0 } };

	memcpy(k.b, &i, sizeof(i));
	return policy_answer_find(s, &k) != NULL;
}

static void strangers_make_room_first(void **state)
{
	struct policy_answers *answers = policy_answers_new();
	struct service *s = policy_service_of(answers, A);
	const uint32_t full = 65536;

	(void)state;
	for (uint32_t i = 0; i < full; i++)
		nth(s, i);
	nth(s, 0)->said = nth(s, 0)->allow = true; /* known */
	policy_answer_used(s, nth(s, 0));
	nth(s, 1)->asked = true; /* somebody waits */
	policy_answer_used(s, nth(s, 2));
	nth(s, full);
	nth(s, full + 1);
	assert_int_equal(HASH_COUNT(s->answers), full);
	assert_true(is_there(s, 0) && is_there(s, 1) && is_there(s, 2));
	assert_false(is_there(s, 3) || is_there(s, 4));
	assert_true(is_there(s, 5));
	nth(s, 1)->asked = false;
	policy_answers_end(&answers);
}

static void a_quota_of_each_key(void **state)
{
	struct policy_quota_conf quota = { .bytes = 100 };
	struct policy_rule_conf rule = { .from = { .v = office, .n = 1 },
					 .quota = { &quota, 1 } };
	struct policy_over_key used = { asked_key, policy_over_tenant(""), 99 };
	struct policy_quotas *q = policy_quotas_new(NULL, 0);
	struct policy_worker pw;

	conf.accounting = true;
	for (*state = NULL; quota.then <= POLICY_QUOTA_SLOW; quota.then++) {
		pw = worker_of(&rule, 1);
		pw.quotas = q;
		for (used.used = 99; used.used <= 100; used.used++) {
			policy_over_drop(&q->over);
			q->over = policy_over_new(&used, 1);
			assert_int_equal(decide(&pw, POLICY_LOGIN).deny,
					 used.used - quota.then == 100);
		}
		assert_int_equal(decide(&pw, POLICY_HERE).slow, quota.then);
		worker_end(&pw);
	}
	policy_quotas_drop(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_decides),
		cmocka_unit_test(at_the_end_fail_open_decides),
		cmocka_unit_test(who_is_here_stays_while_it_is_not_known),
		cmocka_unit_test(an_answer_stands_for_a_time),
		cmocka_unit_test(what_was_taken_is_renewed),
		cmocka_unit_test(strangers_make_room_first),
		cmocka_unit_test(a_quota_of_each_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
