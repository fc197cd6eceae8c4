/* SPDX-License-Identifier: MIT */
/* t/unit/hdprobe.c - the target's forms, and what a report amounts to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tools/hdprobe/options.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void targets(void **state)
{
	static const struct {
		const char *text, *host, *port; /* host NULL: refused */
	} cases[] = {
		{ "derp.example.com", "derp.example.com", "443" },
		{ "derp.example.com:3340", "derp.example.com", "3340" },
		{ "192.0.2.1:1", "192.0.2.1", "1" },
		{ "[2001:db8::1]", "2001:db8::1", "443" },
		{ "[2001:db8::1]:3340", "2001:db8::1", "3340" },
		{ "2001:db8::1", "2001:db8::1", "443" },
		{ "", NULL, NULL },
		{ ":443", NULL, NULL },
		{ "host:", NULL, NULL },
		{ "host:0", NULL, NULL },
		{ "host:65536", NULL, NULL },
		{ "host:https", NULL, NULL },
		{ "[::1", NULL, NULL },
		{ "[::1]x", NULL, NULL },
		{ "[]:443", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		const char *host = NULL, *port = "443";
		char *text = strdup(cases[i].text);
		int rc = options_target(text, &host, &port);

		assert_int_equal(rc, cases[i].host != NULL ? 0 : -EINVAL);
		if (rc == 0) {
			assert_string_equal(host, cases[i].host);
			assert_string_equal(port, cases[i].port);
		}
		free(text);
	}
}

/* The exit status of monitoring plugins, worst first: 2, 3, 1, 0. */
static void statuses(void **state)
{
	static const struct {
		enum verdict a, b;
		int status;
	} cases[] = {
		{ V_OK, V_OK, 0 },	{ V_OK, V_SKIP, 0 },
		{ V_WARN, V_OK, 1 },	{ V_WARN, V_FAIL, 2 },
		{ V_UNKNOWN, V_OK, 3 }, { V_UNKNOWN, V_WARN, 3 },
		{ V_FAIL, V_SKIP, 2 },	{ V_UNKNOWN, V_FAIL, 2 },
	};

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		struct result a = { .verdict = cases[i].a };
		struct result b = { .verdict = cases[i].b };
		struct report rep;

		report_init(&rep, stdout, "target", false, true);
		report_add(&rep, "a", &a);
		report_add(&rep, "b", &b);
		assert_int_equal(report_status(&rep), cases[i].status);
		report_clear(&rep);
	}
}

static void lines_carry_the_remedy(void **state)
{
	struct result r = { .verdict = V_OK };
	struct report rep;
	char *got = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&got, &n);

	(void)state;
	report_init(&rep, f, "target", false, false);
	result_bad(&r, V_FAIL, "do this", "went %s", "wrong");
	report_add(&rep, "check", &r);
	report_print_sum(&rep);
	report_clear(&rep);
	fclose(f);
	assert_string_equal(got, "FAIL  check         went wrong\n"
				 "                    -> do this\n"
				 "target: failed - 0 ok, 0 warnings, 1 failed, "
				 "0 skipped - check: went wrong\n");
	free(got);
}

static void json_is_one_object(void **state)
{
	struct result r = { .verdict = V_OK };
	struct report rep;
	json_t *o, *check;
	char *got = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&got, &n);

	(void)state;
	report_init(&rep, f, "target", true, false);
	result_bad(&r, V_WARN, "renew", "soon");
	r.data = json_pack("{s:i}", "days_left", 3);
	report_add(&rep, "cert-dates", &r);
	report_print_sum(&rep);
	report_clear(&rep);
	fclose(f);
	o = json_loads(got, 0, NULL);
	free(got);
	assert_int_equal(json_integer_value(json_object_get(o, "exit")), 1);
	check = json_array_get(json_object_get(o, "checks"), 0);
	assert_string_equal(json_string_value(json_object_get(check, "result")),
			    "warn");
	assert_string_equal(json_string_value(json_object_get(check, "remedy")),
			    "renew");
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(check, "data"), "days_left")),
			 3);
	json_decref(o);
}

/* What a relay says goes to a terminal and into JSON. */
static void details_are_printable(void **state)
{
	struct result r = { .verdict = V_OK };

	(void)state;
	result_ok(&r, "a\033[2J\xff%s", "\n\xf0\x9f");
	assert_string_equal(r.detail, "a?[2J????");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets),
		cmocka_unit_test(statuses),
		cmocka_unit_test(lines_carry_the_remedy),
		cmocka_unit_test(json_is_one_object),
		cmocka_unit_test(details_are_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
