/* SPDX-License-Identifier: MIT */
/* t/unit/hd_owed.c - who has allowed an address that was nowhere: as many as
 * there is room for. */
#include <stdlib.h>
#include "modules/hd/owed.h"
#include "t/unit/unit.h"

enum { PLACES = 4096, EACH = PLACES / 8 };

const struct hd_proto hdp_proto = { .name = "hd" };
static struct hdp_owed *owed;

void hdp_allowed_again(struct hdp_state *d, const struct hd_key *to)
{
	(void)d, (void)to;
}

/* Client n of all; address n of all. */
static bool add(uint16_t realm, unsigned from, unsigned to)
{
	struct hd_key src = { .b = { (uint8_t)from } };
	struct hd_key dst = { .b = { (uint8_t)to, (uint8_t)(to >> 8) } };
	const struct hd_packet packet = { .src = &src,
					  .dst = &dst,
					  .realm = realm };

	return hdp_owed_add(owed, &packet);
}

/* Returns who; -1: nobody. */
static int take(uint16_t realm, unsigned to)
{
	struct hd_key dst = { .b = { (uint8_t)to, (uint8_t)(to >> 8) } }, from;

	return hdp_owed_take(owed, realm, &dst, &from) ? from.b[0] : -1;
}

static void all_who_have_allowed_are_found_once(void **state)
{
	(void)state;
	assert_true(add(1, 1, 500));
	assert_true(add(1, 2, 500));
	assert_false(add(1, 2, 500)); /* it is known */
	assert_true(add(1, 3, 500 + 1024)); /* of the same chain */
	assert_true(add(2, 4, 500)); /* another tenant */
	assert_int_equal(take(1, 500) + take(1, 500), 3);
	assert_int_equal(take(1, 500), -1);
	assert_int_equal(take(1, 500 + 1024), 3);
	assert_int_equal(take(2, 500), 4);
	assert_int_equal(take(2, 500), -1);
}

static void one_client_does_not_take_all_places(void **state)
{
	(void)state;
	for (unsigned i = 0; i < EACH; i++)
		assert_true(add(1, 1, i));
	assert_false(add(1, 1, EACH));
	assert_true(add(1, 2, EACH));
	assert_int_equal(take(1, 7), 1);
	assert_true(add(1, 1, EACH + 1));
	assert_false(add(1, 1, EACH + 2));
}

static void the_oldest_gives_way(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PLACES; i++)
		assert_true(add(1, i % 16, i));
	assert_int_equal(take(1, 5), 5); /* a place that is free by then */
	for (unsigned i = PLACES; i < PLACES + 100; i++)
		assert_true(add(1, 20 + i % 4, i));
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(take(1, i), -1);
	for (unsigned i = 100; i < PLACES; i++)
		assert_int_equal(take(1, i), i % 16);
	for (unsigned i = PLACES; i < PLACES + 100; i++)
		assert_int_equal(take(1, i), 20 + i % 4);
}

static int up(void **state)
{
	(void)state;
	owed = hdp_owed_new();
	return owed == NULL;
}

static int down(void **state)
{
	(void)state;
	free(owed);
	return 0;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_who_have_allowed_are_found_once),
		TEST(one_client_does_not_take_all_places),
		TEST(the_oldest_gives_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
