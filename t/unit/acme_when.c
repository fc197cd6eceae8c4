/* SPDX-License-Identifier: MIT */
/* t/unit/acme_when.c - when ACME is tried again, and when a certificate is
 * due. */
#include "modules/acme/when.h"
#include <hyper-derp/base.h>
#include "t/unit/unit.h"

enum { HOUR_S = 3600, DAY_S = 24 * HOUR_S };

/* Source: `date -u -d 2026-01-02T03:04:05Z +%s` */
enum { T = 1767323045 };

static void waits_twice_as_long(void **state)
{
	static const struct {
		unsigned failures;
		int64_t first_s, asked_s, want_s;
	} rows[] = {
		{ 1, 120, 0, 120 },
		{ 2, 120, 0, 240 },
		{ 5, 120, 0, 1920 },
		{ 8, 120, 0, 15360 },
		{ 9, 120, 0, 6 * HOUR_S },
		{ 4000000000, 120, 0, 6 * HOUR_S },
		{ 1, 6 * HOUR_S, 0, 6 * HOUR_S },
		{ 1, 120, 600, 600 }, /* the server says when */
		{ 5, 120, 600, 1920 },
		{ 1, 120, 400 * DAY_S, DAY_S },
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(rows); i++) {
		int64_t want = rows[i].want_s, most;

		assert_int_equal(acme_back_off_s(rows[i].failures,
						 rows[i].first_s,
						 rows[i].asked_s, 0),
				 want);
		most = acme_back_off_s(rows[i].failures, rows[i].first_s,
				       rows[i].asked_s, UINT32_MAX);
		assert_in_range(most, want, want + want / 4);
	}
}

/* Let's Encrypt allows 5 failures an hour for each name. */
static void five_an_hour_at_most(void **state)
{
	int64_t at = 0;
	unsigned n = 0;

	(void)state;
	for (; at < HOUR_S; n++)
		at += acme_back_off_s(n + 1, 120, 0, 0);
	assert_in_range(n, 1, 5);
}

static void soon_after_the_last(void **state)
{
	(void)state;
	assert_true(acme_is_hasty(0, 90 * DAY_S));
	assert_true(acme_is_hasty(6 * HOUR_S, 90 * DAY_S)); /* backed off */
	assert_false(acme_is_hasty(60 * DAY_S, 90 * DAY_S));
	assert_false(acme_is_hasty(HOUR_S / 2, HOUR_S));
	assert_true(acme_is_hasty(-HOUR_S, DAY_S)); /* the clock was set */
	assert_true(acme_is_hasty(59, -DAY_S));
	assert_false(acme_is_hasty(60, 0));
}

static void due_before_the_end(void **state)
{
	(void)state;
	assert_int_equal(acme_due_s(T, T + 90 * DAY_S, 0), T + 60 * DAY_S);
	assert_in_range(acme_due_s(T, T + 90 * DAY_S, UINT32_MAX),
			T + 55 * DAY_S, T + 56 * DAY_S);
	assert_int_equal(acme_due_s(T, T + 6 * DAY_S, 0), T + 3 * DAY_S);
	assert_int_equal(acme_due_s(T, T + 47 * DAY_S, 0),
			 T + 47 * DAY_S - 47 * DAY_S / 3);
	assert_int_equal(acme_within_s(T, T + 100, 0), T);
	assert_int_equal(acme_within_s(T, T + 100, 1U << 31), T + 50);
	assert_in_range(acme_within_s(T, T + 100, UINT32_MAX), T + 99, T + 100);
}

static void retry_after(void **state)
{
	static const struct {
		const char *text;
		int64_t want_s;
	} rows[] = {
		{ "0", 0 },
		{ "7", 7 },
		{ "999999999999999999999", DAY_S },
		{ "-5", 0 },
		{ "", 0 },
		{ "7 s", 0 },
		{ "soon", 0 },
		{ "Fri, 02 Jan 2026 03:05:05 GMT", 60 },
		{ "Fri, 02 Jan 2026 03:03:05 GMT", 0 },
		{ "Fri, 02 Jan 2126 03:03:05 GMT", DAY_S },
		{ "Fri, 02 Jan 2026 03:05:05 GMT, 7", 0 },
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(rows); i++)
		assert_int_equal(acme_retry_after_s(rows[i].text, T),
				 rows[i].want_s);
}

static void times_of_rfc_3339(void **state)
{
	static const struct {
		const char *text;
		int64_t want_s;
	} rows[] = {
		{ "2026-01-02T03:04:05Z", T },
		{ "2026-01-02T03:04:05.678Z", T },
		{ "2026-01-02T03:04:05.Z", T },
		{ "2026-01-02T04:34:05+01:30", T },
		{ "2026-01-01T22:04:05-05:00", T },
		{ "2026-01-02T03:04:05", 0 },
		{ "2026-01-02", 0 },
		{ "2026-01-02T03:04:05+01", 0 },
		{ "2026-01-02T03:04:05 01:00", 0 },
		{ "2026-01-02T03:04:05Zulu", 0 },
		{ "2026-13-02T03:04:05Z", 0 },
		{ "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(rows); i++)
		assert_int_equal(acme_time_s(rows[i].text), rows[i].want_s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_twice_as_long),
		cmocka_unit_test(five_an_hour_at_most),
		cmocka_unit_test(soon_after_the_last),
		cmocka_unit_test(due_before_the_end),
		cmocka_unit_test(retry_after),
		cmocka_unit_test(times_of_rfc_3339),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
