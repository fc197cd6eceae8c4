/* SPDX-License-Identifier: MIT */
/* t/unit/account.c - the clock behind `module status`. */
#include "core/loop/account.h"
#include <hyper-derp/base.h>
#include <time.h>
#include "t/unit/unit.h"

static void spin_us(unsigned us)
{
	struct timespec from, now;

	clock_gettime(CLOCK_MONOTONIC, &from);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - from.tv_sec) * 1000000000 + now.tv_nsec -
		       from.tv_nsec <
	       us * 1000l);
}

static void one_turn_in_64(void **state)
{
	enum { TURNS = 640000 };
	struct hd_meter m = { 0 };
	unsigned n = 0, rhythm = 0;

	(void)state;
	for (unsigned i = 0; i < TURNS; i++) {
		hd_meter_turn(&m);
		n += m.on;
		rhythm += m.on && i % 64 == 0;
	}
	assert_in_range(n, 9500, 10500);
	assert_in_range(rhythm, n / 64 / 2, n / 64 * 2);
}

static void nothing_in_other_turns(void **state)
{
	struct hd_meter m = { 0 };
	struct hd_account account = { { { 0 } } };

	(void)state;
	assert_null(hd_meter_enter(&m, &account));
	spin_us(100);
	hd_meter_leave(&m, NULL);
	assert_int_equal(account.v[HD_ACCOUNT_CPU_NS].n, 0);
}

/* What another module does inside a call of ours is its own. False: more time
 * passed in ours, as it does when the thread had to wait there. */
static bool inner_takes_longer(void)
{
	struct hd_meter m = { .on = true };
	struct hd_account outer = { { { 0 } } }, inner = { { { 0 } } };
	struct hd_account *before = hd_meter_enter(&m, &outer);
	struct hd_account *outside = hd_meter_enter(&m, &inner);

	spin_us(1000);
	hd_meter_leave(&m, outside);
	struct hd_account *same = hd_meter_enter(&m, &outer);

	assert_ptr_equal(same, &outer);
	hd_meter_leave(&m, same);
	hd_meter_leave(&m, before);
	assert_null(m.now);
	assert_true(inner.v[HD_ACCOUNT_CPU_NS].n >= 64 * 1000000ull);
	return outer.v[HD_ACCOUNT_CPU_NS].n < inner.v[HD_ACCOUNT_CPU_NS].n;
}

static void inner_calls_count_once(void **state)
{
	(void)state;
	assert_true(inner_takes_longer() || inner_takes_longer() ||
		    inner_takes_longer());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_turn_in_64),
		cmocka_unit_test(nothing_in_other_turns),
		cmocka_unit_test(inner_calls_count_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
