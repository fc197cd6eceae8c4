/* SPDX-License-Identifier: MIT */
/* t/unit/bucket.c - token buckets, by a clock of our own. */
#include "core/base/bucket.h"
#include "t/unit/unit.h"

#define S 1000000000ull
#define MS 1000000ull

static void a_burst_then_the_rate(void **state)
{
	const struct hd_rate r = hd_rate_of(1000, 500);
	struct hd_bucket b = { 0 };
	uint64_t now = 10 * S;

	(void)state;
	hd_bucket_take(&b, &r, 500, now);
	assert_int_equal(hd_bucket_unpaid_ns(&b, &r, now), 0);
	hd_bucket_take(&b, &r, 100, now);
	assert_int_equal(hd_bucket_unpaid_ns(&b, &r, now), 100 * MS);
	assert_int_equal(hd_bucket_unpaid_ns(&b, &r, now + 99 * MS), MS);
	assert_int_equal(hd_bucket_unpaid_ns(&b, &r, now + 100 * MS), 0);
	/* a long rest is worth one burst and no more */
	now += 3600 * S;
	hd_bucket_take(&b, &r, 501, now);
	assert_int_equal(hd_bucket_unpaid_ns(&b, &r, now), MS);
}

static void a_debt_is_paid(void **state)
{
	const struct hd_rate r = hd_rate_of(1000, 1);
	struct hd_bucket b = { 0 };
	uint64_t now = S, taken = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		hd_bucket_take(&b, &r, 7 + i, now);
		taken += 7 + i;
		now += hd_bucket_unpaid_ns(&b, &r, now);
	}
	assert_true(now - S <= taken * MS);
	assert_true(now - S >= (taken - 1) * MS);
}

static void the_limit_changes(void **state)
{
	const struct hd_rate slow = hd_rate_of(10, 1), fast = hd_rate_of(0, 0);
	struct hd_bucket b = { 0 };

	(void)state;
	hd_bucket_take(&b, &slow, 11, S);
	assert_int_equal(hd_bucket_unpaid_ns(&b, &slow, S), S);
	assert_int_equal(hd_bucket_unpaid_ns(&b, &fast, S), 0);
}

/* Rates of 1 byte up to 100 Gbit a second, in reads of any size. */
static void the_rate_is_exact(void **state)
{
	(void)state;
	for (uint64_t rate = 1; rate < 12500000000ull; rate = rate * 7 + 3) {
		const struct hd_rate r = hd_rate_of(rate, 0);
		struct hd_bucket b = { 0 };
		uint64_t n = HD_MAX(1u, rate / 1000);

		for (unsigned i = 0; i < 1000; i++)
			hd_bucket_take(&b, &r, n, S);
		double want = 1000. * (double)n / (double)rate * 1e9;
		double got = (double)hd_bucket_unpaid_ns(&b, &r, S);

		assert_true(got > want * 0.999 && got < want * 1.001);
	}
}

static void places_are_booked_in_order(void **state)
{
	const struct hd_rate r = hd_rate_of(10, 2), none = hd_rate_of(0, 0);
	struct hd_pool p = { 0 };

	(void)state;
	assert_int_equal(hd_pool_book(&p, &r, S), 0);
	assert_int_equal(hd_pool_book(&p, &r, S), 0);
	assert_int_equal(hd_pool_book(&p, &r, S), 100 * MS);
	assert_int_equal(hd_pool_book(&p, &r, S), 200 * MS);
	assert_int_equal(hd_pool_book(&p, &r, S + 200 * MS), 100 * MS);
	assert_int_equal(hd_pool_book(&p, &none, S), 0);
	/* a clock that lags, of another worker, costs nothing */
	assert_int_equal(hd_pool_book(&p, &r, S + 199 * MS), 201 * MS);
}

static void a_part_is_taken(void **state)
{
	const struct hd_rate r = hd_rate_of(1000, 100), none = hd_rate_of(0, 0);
	struct hd_pool p = { 0 };

	(void)state;
	assert_int_equal(hd_pool_take(&p, &r, 30, S), 30);
	assert_int_equal(hd_pool_take(&p, &r, 90, S), 70);
	assert_int_equal(hd_pool_take(&p, &r, 1, S), 0);
	assert_int_equal(hd_pool_take(&p, &r, 90, S + 10 * MS), 10);
	assert_int_equal(hd_pool_take(&p, &none, 90, S), 90);
	assert_int_equal(hd_pool_take(&p, &r, 900, 60 * S), 100);
}

static void a_burst_has_an_end(void **state)
{
	const struct hd_rate r = hd_rate_of(1, UINT64_MAX);
	struct hd_bucket b = { 0 };

	(void)state;
	assert_int_equal(r.burst_ns, 365 * 86400 * S);
	hd_bucket_take(&b, &r, 1000, S);
	assert_int_equal(hd_bucket_unpaid_ns(&b, &r, S), 0);
}

static void a_debt_is_as_many_bytes_by_another_rate(void **state)
{
	const struct hd_rate slow = hd_rate_of(10, 1);
	const struct hd_rate fast = hd_rate_of(1000, 1);
	const struct hd_rate none = hd_rate_of(0, 0);
	struct hd_bucket b = { 0 };

	(void)state;
	hd_bucket_take(&b, &slow, 1000, S);
	assert_int_equal(b.paid_ns, 101 * S);
	hd_bucket_change(&b, &slow, &fast, S);
	assert_int_equal(b.paid_ns, 2 * S);
	hd_bucket_change(&b, &fast, &none, S);
	hd_bucket_change(&b, &none, &slow, S);
	assert_int_equal(hd_bucket_unpaid_ns(&b, &slow, S), 0);
}

/* From the highest rate to the lowest: it does not leave 64 bits. */
static void a_debt_of_ages_is_one_of_a_year(void **state)
{
	const struct hd_rate fast = hd_rate_of(1ull << 40, 1);
	const struct hd_rate slow = hd_rate_of(1, 1);
	struct hd_bucket b = { 0 };

	(void)state;
	hd_bucket_take(&b, &fast, 1ull << 50, S);
	assert_true(b.paid_ns > 1000 * S);
	hd_bucket_change(&b, &fast, &slow, S);
	assert_int_equal(b.paid_ns, S + 365 * 86400 * S);
}

static void a_pool_is_ahead_by_its_burst_at_most(void **state)
{
	const struct hd_rate slow = hd_rate_of(10, 1000);
	const struct hd_rate fast = hd_rate_of(1000, 100);
	struct hd_pool p = { 0 };

	(void)state;
	assert_int_equal(hd_pool_take(&p, &slow, 1000, S), 1000);
	assert_int_equal(p.paid_ns, 101 * S);
	assert_int_equal(hd_pool_take(&p, &fast, 100, 2 * S), 0);
	assert_int_equal(hd_pool_take(&p, &fast, 100, 2 * S + S / 10), 100);
}

static void milliseconds(void **state)
{
	(void)state;
	assert_int_equal(hd_ns_to_ms(0), 0);
	assert_int_equal(hd_ns_to_ms(1), 1);
	assert_int_equal(hd_ns_to_ms(MS), 1);
	assert_int_equal(hd_ns_to_ms(MS + 1), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_then_the_rate),
		cmocka_unit_test(a_debt_is_paid),
		cmocka_unit_test(the_limit_changes),
		cmocka_unit_test(the_rate_is_exact),
		cmocka_unit_test(places_are_booked_in_order),
		cmocka_unit_test(a_part_is_taken),
		cmocka_unit_test(a_burst_has_an_end),
		cmocka_unit_test(a_debt_is_as_many_bytes_by_another_rate),
		cmocka_unit_test(a_debt_of_ages_is_one_of_a_year),
		cmocka_unit_test(a_pool_is_ahead_by_its_burst_at_most),
		cmocka_unit_test(milliseconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
