/* SPDX-License-Identifier: MIT */
/* t/unit/base.c - texts of addresses, keys, errors and close reasons; equal
 * addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <hyper-derp/base.h>
#include <hyper-derp/log.h>
#include <string.h>
#include <stdio.h>
#include "core/base/addr.h"
#include "core/base/close.h"
#include "core/base/module_id.h"
#include "core/loop/stats.h"

static void addr_text(void **state)
{
	static const struct {
		const char *ip, *want;
	} cases[] = {
		{ "2001:db8::1", "[2001:db8::1]:443" },
		{ "::", "[::]:443" },
		{ "::ffff:192.0.2.1", "192.0.2.1:443" },
	};
	char buf[HD_ADDR_TEXT_BYTES];
	union hd_addr v4 = { .in = { .sin_family = AF_INET,
				     .sin_port = htons(65535) } };
	union hd_addr none = { .sa = { .sa_family = AF_UNSPEC } };

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		union hd_addr addr = { .in6 = { .sin6_family = AF_INET6,
						.sin6_port = htons(443) } };

		assert_int_equal(1, inet_pton(AF_INET6, cases[i].ip,
					      &addr.in6.sin6_addr));
		assert_ptr_equal(hd_addr_text(&addr, buf), buf);
		assert_string_equal(buf, cases[i].want);
	}
	inet_pton(AF_INET, "192.0.2.1", &v4.in.sin_addr);
	assert_string_equal(hd_addr_text(&v4, buf), "192.0.2.1:65535");
	assert_string_equal(hd_addr_text(&none, buf), "none");
}

static void key_text_is_the_first_four_bytes(void **state)
{
	struct hd_key key = { { 0x0a, 0xff, 0x00, 0x12, 0x34 } };

	(void)state;
	assert_string_equal(hd_key_text(&key).s, "0aff0012");
}

static void every_close_reason_has_a_text(void **state)
{
	(void)state;
	for (int i = 0; i < HD_CLOSE_N; i++)
		assert_string_not_equal(hd_close_text(NULL, (enum hd_close)i),
					"unknown");
	assert_string_equal(hd_close_text(NULL, HD_CLOSE_SLOW),
			    "slow receiver");
	assert_string_equal(hd_close_text(NULL, HD_CLOSE_N), "unknown");
	assert_string_equal(hd_close_text(NULL, HD_CLOSE_OWN(0)), "unknown");
}

/* A reload may have left fewer of them. */
static void reasons_of_a_module(void **state)
{
	static const struct hd_close_reason reasons[] = {
		{ .word = "full", .like = HD_CLOSE_DENIED },
		{ .word = "flood",
		  .like = HD_CLOSE_PROTOCOL,
		  .ws_code = 4001,
		  .ws_reason = "too fast" },
		HD_CLOSE_REASON_END,
	};
	const struct hd_module_def def = { .reasons = reasons }, none = { 0 };
	struct hd_module mod = { .def = &def };

	(void)state;
	assert_string_equal(hd_close_text(&mod, HD_CLOSE_OWN(1)), "flood");
	assert_string_equal(hd_close_text(&mod, HD_CLOSE_OWN(2)), "unknown");
	assert_string_equal(hd_close_text(&mod, HD_CLOSE_DRAIN),
			    "relay drains");
	assert_int_equal(hd_close_like(&mod, HD_CLOSE_OWN(0)), HD_CLOSE_DENIED);
	assert_int_equal(hd_close_like(&mod, HD_CLOSE_OWN(2)), HD_CLOSE_DONE);
	assert_int_equal(hd_close_like(&mod, HD_CLOSE_N), HD_CLOSE_DONE);
	assert_int_equal(hd_close_like(&mod, 255), HD_CLOSE_DONE);
	mod.def = &none;
	assert_string_equal(hd_close_text(&mod, HD_CLOSE_OWN(0)), "unknown");
}

/* What a module may not call a reason of its own: labels of the metric. */
static void words_of_the_core(void **state)
{
	char word[16];
	unsigned n = 0;

	(void)state;
	for (const struct hd_metric *m = hd_core_metrics; m->name != NULL; m++)
		if (strcmp(m->name, "hyper_derp_closes_total") == 0) {
			assert_int_equal(
				sscanf(m->labels, "reason=\"%15[a-z]\"", word),
				1);
			assert_true(hd_close_is_core(word));
			n++;
		}
	assert_int_equal(n, HD_CLOSE_N);
	assert_false(hd_close_is_core("flood"));
}

static void error_returns_its_code(void **state)
{
	struct hd_error err = { "before" };
	char big[2048];

	(void)state;
	assert_int_equal(-EINVAL, hd_error_set(NULL, -EINVAL, "nobody reads"));
	assert_int_equal(-ENOENT,
			 hd_error_set(&err, -ENOENT, "%s:%d: no", "f", 12));
	assert_string_equal(err.text, "f:12: no");
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	hd_error_set(&err, -E2BIG, "%s", big);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static union hd_addr addr6(const char *ip, uint16_t port, uint32_t scope)
{
	union hd_addr a = { .in6 = { .sin6_family = AF_INET6,
				     .sin6_port = htons(port),
				     .sin6_scope_id = scope } };

	assert_int_equal(inet_pton(AF_INET6, ip, &a.in6.sin6_addr), 1);
	return a;
}

static void same_addr_is_the_same_socket(void **state)
{
	const union hd_addr a = addr6("fe80::1", 443, 2);
	const union hd_addr other[] = { addr6("fe80::2", 443, 2),
					addr6("fe80::1", 444, 2),
					addr6("fe80::1", 443, 3) };
	union hd_addr flow = a;
	union hd_addr v4 = { .in = { .sin_family = AF_INET,
				     .sin_port = htons(443) } };
	union hd_addr padded = v4, none = { .sa = { .sa_family = AF_UNSPEC } };

	(void)state;
	flow.in6.sin6_flowinfo = 1;
	memset(padded.in.sin_zero, 1, sizeof(padded.in.sin_zero));
	assert_true(hd_addr_same(&a, &flow));
	assert_true(hd_addr_same(&v4, &padded));
	for (size_t i = 0; i < HD_ARRAY_N(other); i++)
		assert_false(hd_addr_same(&a, &other[i]));
	padded.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_false(hd_addr_same(&v4, &padded));
	assert_false(hd_addr_same(&a, &v4));
	assert_false(hd_addr_same(&none, &none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addr_text),
		cmocka_unit_test(key_text_is_the_first_four_bytes),
		cmocka_unit_test(every_close_reason_has_a_text),
		cmocka_unit_test(reasons_of_a_module),
		cmocka_unit_test(words_of_the_core),
		cmocka_unit_test(error_returns_its_code),
		cmocka_unit_test(same_addr_is_the_same_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
