/* SPDX-License-Identifier: MIT */
/* t/unit/doctor_clock.c - hdctl doctor warns of a clock only with a reason, and
 * then says what to do. */
#include "t/unit/unit.h"
#include "tools/hdctl/doctor/doctor.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static enum doctor_verdict verdict;
static char detail[512], remedy[512];

void doctor_say(struct doctor *d, enum doctor_verdict v, const char *fmt, ...)
{
	va_list ap;

	(void)d;
	verdict = v;
	remedy[0] = '\0';
	va_start(ap, fmt);
	(void)vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
}

void doctor_remedy(struct doctor *d, const char *fmt, ...)
{
	va_list ap;

	(void)d;
	va_start(ap, fmt);
	(void)vsnprintf(remedy, sizeof(remedy), fmt, ap);
	va_end(ap);
}

static void judge(struct doctor_clock c)
{
	doctor_say_clock(NULL, &c);
}

static void synchronised(void **state)
{
	(void)state;
	judge((struct doctor_clock){ .known = true, .synchronised = true,
				     .error_ms = 12, .has_rtc = true,
				     .rtc_off_s = 300 });
	assert_int_equal(verdict, DOCTOR_OK);
	assert_non_null(strstr(detail, "within 12 ms"));
	assert_string_equal(remedy, "");
}

/* Its host may keep it right: nothing is known to be wrong. */
static void a_guest_is_no_reason(void **state)
{
	(void)state;
	judge((struct doctor_clock){ .known = true, .guest = true });
	assert_int_equal(verdict, DOCTOR_SKIP);
	assert_non_null(strstr(detail, "--time-from"));
	judge((struct doctor_clock){ .known = false });
	assert_int_equal(verdict, DOCTOR_SKIP);
	judge((struct doctor_clock){ .known = true, .guest = true,
				     .has_rtc = true, .rtc_off_s = 29 });
	assert_int_equal(verdict, DOCTOR_SKIP);
}

static void reasons(void **state)
{
	(void)state;
	judge((struct doctor_clock){ .known = true });
	assert_int_equal(verdict, DOCTOR_WARN);
	assert_non_null(strstr(remedy, "timedatectl set-ntp true"));
	judge((struct doctor_clock){ .known = true, .guest = true,
				     .has_rtc = true, .rtc_off_s = 30 });
	assert_int_equal(verdict, DOCTOR_WARN);
	assert_non_null(strstr(detail, "30 s from"));
	assert_non_null(strstr(remedy, "chrony"));
}

static void a_hardware_clock_in_local_time(void **state)
{
	(void)state;
	assert_int_equal(doctor_rtc_off(0), 0);
	assert_int_equal(doctor_rtc_off(-40), 40);
	assert_int_equal(doctor_rtc_off(3600 + 7), 7); /* UTC+1 */
	assert_int_equal(doctor_rtc_off(-(5 * 3600 + 2700) + 3), 3);
	assert_int_equal(doctor_rtc_off(14 * 3600), 0);
	assert_int_equal(doctor_rtc_off(100 * 86400), 100 * 86400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(synchronised),
		cmocka_unit_test(a_guest_is_no_reason),
		cmocka_unit_test(reasons),
		cmocka_unit_test(a_hardware_clock_in_local_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
