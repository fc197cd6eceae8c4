/* SPDX-License-Identifier: MIT */
/* t/unit/memo.c - what is remembered of many, for a while. */
#include "core/base/memo.h"
#include <stdlib.h>
#include <string.h>
#include "core/base/key.h"
#include "t/unit/unit.h"

enum { MAX = 100, MANY = 5000 };

static struct hd_memos all;

static int setup(void **state)
{
	(void)state;
	hd_key_hash_seed();
	all = (struct hd_memos){ .max = MAX };
	return 0;
}

static int teardown(void **state)
{
	struct hd_memo *m;

	(void)state;
	while ((m = hd_memo_over(&all, UINT64_MAX)) != NULL)
		free(m);
	hd_memos_free(&all);
	return 0;
}

static struct hd_key id_of(uint32_t n)
{
	struct hd_key key = { { 0 } };

	memcpy(key.b, &n, sizeof(n));
	return key;
}

static struct hd_memo *add(uint32_t n)
{
	struct hd_memo *m = calloc(1, sizeof(*m));
	const struct hd_key id = id_of(n);

	assert_int_equal(hd_memo_add(&all, m, 7, &id), 0);
	return m;
}

static void keep(struct hd_memo *m, uint64_t until_ms)
{
	free(hd_memo_keep(&all, m, until_ms));
}

static bool has(uint32_t n)
{
	const struct hd_key id = id_of(n);

	return hd_memo_find(&all, 7, &id) != NULL;
}

static void forget(uint64_t now_ms)
{
	struct hd_memo *m;

	while ((m = hd_memo_over(&all, now_ms)) != NULL)
		free(m);
}

static void it_is_found_until_it_is_over(void **state)
{
	const struct hd_key id = id_of(1);
	struct hd_memo *m;

	(void)state;
	assert_false(has(1));
	assert_null(hd_memo_over(&all, UINT64_MAX));
	m = add(1);
	assert_ptr_equal(hd_memo_find(&all, 7, &id), m);
	assert_null(hd_memo_find(&all, 8, &id));
	forget(UINT64_MAX); /* it is held */
	assert_true(has(1));
	keep(m, 50);
	forget(49);
	assert_true(has(1));
	hd_memo_hold(&all, m);
	forget(60);
	assert_true(has(1));
	keep(m, 70);
	keep(m, 60);
	forget(60);
	assert_false(has(1));
}

/* Many that owe little push out neither who owes much nor who is held. */
static void the_shortest_goes_first(void **state)
{
	(void)state;
	struct hd_memo *held = add(1);

	keep(add(2), 1000000);
	for (uint32_t i = 0; i < MANY; i++)
		keep(add(100 + i), 1000 + i);
	assert_int_equal(all.kept.n, MAX);
	assert_true(has(1) && has(2));
	assert_true(has(100 + MANY - 1) && !has(100));
	keep(add(3), 5); /* shorter than all: it is the one */
	assert_false(has(3));
	forget(1000 + MANY);
	assert_int_equal(all.kept.n, 1);
	keep(held, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_is_found_until_it_is_over,
						setup, teardown),
		cmocka_unit_test_setup_teardown(the_shortest_goes_first, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
