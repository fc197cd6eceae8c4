/* SPDX-License-Identifier: MIT */
/* t/unit/debt.c - what keys owe that have left, in bounded memory. */
#include "core/relay/debt.h"
#include <stdlib.h>
#include <string.h>
#include "core/loop/timer.h"
#include "core/relay/relay_worker.h"
#include "core/stream/limit.h"
#include "t/unit/unit.h"

enum { S = 1000000000, MANY = 3 * HD_DEBTS_MAX };

static struct hd_worker *w;

static int setup(void **state)
{
	(void)state;
	w = calloc(1, sizeof(*w));
	w->now_ms = 1000;
	w->now_ns = S;
	hd_key_hash_seed();
	return hd_relay_new(w);
}

static int teardown(void **state)
{
	(void)state;
	hd_relay_free(w);
	hd_heap_free(&w->module_timers);
	free(w);
	return 0;
}

static struct hd_entry entry_of(uint32_t n)
{
	struct hd_entry e = { .realm = 3 };

	memcpy(e.key.b, &n, sizeof(n));
	return e;
}

/* It leaves, and has so long to pay. */
static void leave(uint32_t n, uint64_t owes_ns)
{
	struct hd_entry e = entry_of(n);

	e.limit = calloc(1, sizeof(*e.limit));
	e.limit->bucket.paid_ns = w->now_ns + owes_ns;
	hd_debt_keep(w, &e);
	assert_null(e.limit);
}

/* It comes back. Returns for how long it owes. */
static uint64_t back(uint32_t n)
{
	const struct hd_entry e = entry_of(n);
	struct hd_limit *l = hd_debt_back(w, &e);
	uint64_t owes_ns = l != NULL ? l->bucket.paid_ns - w->now_ns : 0;

	free(l);
	return owes_ns;
}

static void pass_s(uint64_t s)
{
	for (uint64_t i = 0; i < s * 10; i++) {
		w->now_ms += 100;
		w->now_ns += S / 10;
		hd_timers_run(w);
	}
}

static void who_comes_back_owes_it(void **state)
{
	(void)state;
	assert_int_equal(back(1), 0);
	leave(1, 5ull * S);
	leave(2, 0);
	pass_s(2);
	assert_int_equal(back(1), 3ull * S);
	assert_int_equal(back(1), 0);
	assert_int_equal(back(2), 0);
}

static void what_is_paid_is_forgotten(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= 100; i++)
		leave(i, (uint64_t)i * S);
	pass_s(101);
	assert_int_equal(w->module_timers.n, 0); /* nobody wakes up for it */
	for (uint32_t i = 1; i <= 100; i++)
		assert_int_equal(back(i), 0);
}

/* Who owes most is remembered, however many come and go after it. */
static void a_crowd_hides_nobody(void **state)
{
	unsigned n = 0;

	(void)state;
	leave(1, 3600ull * S);
	for (uint32_t i = 2; i < MANY; i++)
		leave(i, (uint64_t)(i % 100 + 1) * S);
	assert_int_equal(back(1), 3600ull * S);
	for (uint32_t i = 2; i < MANY; i++)
		n += back(i) > 0;
	assert_int_equal(n, HD_DEBTS_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_comes_back_owes_it, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_is_paid_is_forgotten,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_crowd_hides_nobody, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
