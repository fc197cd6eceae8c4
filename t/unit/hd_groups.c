/* SPDX-License-Identifier: MIT */
/* t/unit/hd_groups.c - who is here of a group. */
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include "modules/hd/groups.h"
#include "t/unit/unit.h"

static struct hd_key key_of(unsigned i)
{
	struct hd_key key = { { 0 } };

	memcpy(key.b, &i, sizeof(i));
	return key;
}

static struct hdp_group group_of(uint8_t operator_, const char *name)
{
	uint8_t identity[HD_KEY_BYTES] = { operator_ };

	return hdp_group_of(identity, (const uint8_t *)name, strlen(name));
}

static void a_group_is_an_operator_and_a_name(void **state)
{
	struct hdp_group a = group_of(1, "ops"), b = group_of(2, "ops"),
			 c = group_of(1, "op"), d = group_of(1, "ops");

	(void)state;
	assert_false(hdp_group_is(&a, &b));
	assert_false(hdp_group_is(&a, &c));
	assert_true(hdp_group_is(&a, &d));
	assert_false(hdp_group_is_none(&a));
}

static void who_is_here_as_long_as_one_connection_is(void **state)
{
	struct hd_key to[HDP_GROUP_MEMBERS_MAX], one = key_of(1),
						 two = key_of(2);
	struct hdp_groups *g = hdp_groups_new();
	struct hdp_group ops = group_of(1, "ops"), dev = group_of(1, "dev");

	(void)state;
	assert_int_equal(hdp_groups_join(g, &ops, 0, &one), 0);
	assert_int_equal(hdp_groups_join(g, &ops, 0, &one), 0);
	assert_int_equal(hdp_groups_join(g, &ops, 0, &two), 0);
	assert_int_equal(hdp_groups_join(g, &dev, 0, &two), 0);
	assert_int_equal(hdp_groups_join(g, &ops, 7, &two), 0);
	assert_int_equal(hdp_groups_members(g, &ops, 0, to), 2);
	hdp_groups_leave(g, &ops, 0, &one);
	assert_int_equal(hdp_groups_members(g, &ops, 0, to), 2);
	hdp_groups_leave(g, &ops, 0, &one);
	hdp_groups_leave(g, &ops, 0, &one); /* is not there */
	assert_int_equal(hdp_groups_members(g, &ops, 0, to), 1);
	assert_memory_equal(&to[0], &two, sizeof(two));
	hdp_groups_leave(g, &ops, 0, &two);
	assert_int_equal(hdp_groups_members(g, &ops, 0, to), 0);
	assert_int_equal(hdp_groups_members(g, &ops, 7, to), 1);
	assert_int_equal(hdp_groups_members(g, &dev, 0, to), 1);
	hdp_groups_drop(g);
}

static void there_is_a_limit(void **state)
{
	struct hd_key to[HDP_GROUP_MEMBERS_MAX];
	struct hdp_groups *g = hdp_groups_new();
	struct hdp_group ops = group_of(1, "ops");
	struct hd_key key;

	(void)state;
	hdp_groups_drop(hdp_groups_hold(g));
	for (unsigned i = 0; i < HDP_GROUP_MEMBERS_MAX; i++) {
		key = key_of(i);
		assert_int_equal(hdp_groups_join(g, &ops, 0, &key), 0);
	}
	key = key_of(HDP_GROUP_MEMBERS_MAX);
	assert_int_equal(hdp_groups_join(g, &ops, 0, &key), -ENOSPC);
	hdp_groups_leave(g, &ops, 0, &key);
	assert_int_equal(hdp_groups_members(g, &ops, 0, to),
			 HDP_GROUP_MEMBERS_MAX);
	hdp_groups_drop(g);
}

/* At once so many, of which the largest cost 9 times as much; then 125 in each
 * millisecond. */
static void copies_have_a_limit(void **state)
{
	struct hdp_copies c = { 0 };
	uint64_t now_ms = 1000000;
	unsigned n = 0;

	(void)state;
	while (hdp_copies_take(&c, now_ms, 1))
		n++;
	assert_int_equal(n, 2500);
	for (now_ms++, n = 0; hdp_copies_take(&c, now_ms, 0); n++)
		;
	assert_int_equal(n, 125);
	for (now_ms += 60000, n = 0; hdp_copies_take(&c, now_ms, 16384); n++)
		;
	assert_int_equal(n, 277);
	assert_true(n >= HDP_GROUP_MEMBERS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_group_is_an_operator_and_a_name),
		cmocka_unit_test(who_is_here_as_long_as_one_connection_is),
		cmocka_unit_test(there_is_a_limit),
		cmocka_unit_test(copies_have_a_limit),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
