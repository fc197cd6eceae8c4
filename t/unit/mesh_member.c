/* SPDX-License-Identifier: MIT */
/* t/unit/mesh_member.c - whom the mesh module dials, and when. */
#include <errno.h>
#include "t/unit/mesh_help.h"

/* ---- members ---- */

static void members(void **state)
{
	static const struct {
		const char *name, *host, *dial;
		unsigned port;
		bool plain;
	} good[] = {
		{ "a.example", "a.example", "a.example", 443, false },
		{ "a.example", "a.example", "a.example", 80, true },
		{ "a.example:8443", "a.example", "a.example", 8443, false },
		{ "a.example/10.0.0.1", "a.example", "10.0.0.1", 443, false },
		{ "a.example:1/b", "a.example", "b", 1, false },
		{ "192.0.2.1:65535", "192.0.2.1", "192.0.2.1", 65535, false },
		{ "[2001:db8::1]:444", "2001:db8::1", "2001:db8::1", 444,
		  false },
		{ "2001:db8::1", "2001:db8::1", "2001:db8::1", 443, false },
		{ "[2001:db8::1]", "2001:db8::1", "2001:db8::1", 443, false },
	};
	static const char *const bad[] = {
		"",	"a:",	"a:0", "a:65536", "a:b",
		"a:1x", ":443", "a b", "/b",	  "a:99999999999999999999"
	};
	struct hd_error err;
	struct mesh_member m;

	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(good); i++) {
		struct mesh_member_conf c = { .name = good[i].name,
					      .tls = !good[i].plain };

		assert_int_equal(mesh_member_set(&m, &c, NULL, &err), 0);
		assert_string_equal(m.host, good[i].host);
		assert_string_equal(m.dial, good[i].dial);
		assert_int_equal(m.port, good[i].port);
		mesh_member_free(&m);
	}
	for (unsigned i = 0; i < HD_ARRAY_N(bad); i++) {
		struct mesh_member_conf c = { .name = bad[i], .tls = true };

		assert_int_equal(mesh_member_set(&m, &c, NULL, &err), -EINVAL);
		mesh_member_free(&m);
	}
}

static void a_pin_needs_no_ca(void **state)
{
	struct mesh_member_conf c = { .name = "a", .tls = true };
	struct mesh_member m;
	struct hd_error err;

	(void)state;
	assert_int_equal(mesh_member_set(&m, &c, "all.pem", &err), 0);
	assert_string_equal(m.ca_file, "all.pem");
	mesh_member_free(&m);
	c.pin = "sha256-raw:0";
	assert_int_equal(mesh_member_set(&m, &c, "all.pem", &err), 0);
	assert_null(m.ca_file);
	mesh_member_free(&m);
	c.ca_file = "own.pem";
	assert_int_equal(mesh_member_set(&m, &c, "all.pem", &err), 0);
	assert_string_equal(m.ca_file, "own.pem");
	mesh_member_free(&m);
	c.tls = false;
	assert_int_equal(mesh_member_set(&m, &c, NULL, &err), -EINVAL);
	mesh_member_free(&m);
}

/* ---- back-off ---- */

static void tries_are_further_and_further_apart(void **state)
{
	(void)state;
	for (unsigned tries = 0; tries < 100; tries++) {
		uint32_t full = tries < 5 ? 100u << tries : 2000;

		for (uint32_t chance = 0; chance < 5000; chance += 7) {
			uint32_t ms = mesh_backoff_ms(tries, 2000, chance);

			assert_in_range(ms, full / 2, full);
		}
		assert_int_equal(mesh_backoff_ms(tries, 2000, 0), full / 2);
		assert_int_equal(mesh_backoff_ms(tries, 2000, full / 2), full);
	}
	assert_in_range(mesh_backoff_ms(0, 0, 12345), 1, 2);
}

static void what_an_operator_must_mend_is_tried_seldom(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 12; i++)
		mesh_refuse(-ECONNREFUSED, "nobody there");
	assert_in_range(mesh_fake.timer_ms, 1000, 2000);
	mesh_refuse(-EKEYREJECTED, "another certificate");
	assert_in_range(mesh_fake.timer_ms, 15000, 30000);
	assert_true(mesh_is_waiting("another certificate"));
	mesh_fake.now_ms += 1000; /* it is down since before */
	mesh_refuse(-ECONNREFUSED, "nobody there");
	assert_in_range(mesh_fake.timer_ms, 1000, 2000);
	assert_int_equal(mesh_fake.numbers.failures.n, 14);
	assert_int_equal(mesh_the_link()->since_ms, 1000000);
}

static void who_was_up_for_long_is_dialled_at_once(void **state)
{
	struct hd_stream *s;

	(void)state;
	for (unsigned i = 0; i < 12; i++)
		mesh_refuse(-ECONNREFUSED, "nobody there");
	s = mesh_login();
	mesh_present(s, 2);
	mesh_end(&s, HD_CLOSE_PEER);
	assert_in_range(mesh_fake.timer_ms, 1000, 2000);
	s = mesh_login();
	mesh_present(s, 2);
	mesh_fake.now_ms += 60000;
	mesh_end(&s, HD_CLOSE_PEER);
	assert_in_range(mesh_fake.timer_ms, 50, 100);
	assert_int_equal(mesh_fake.numbers.losses.n, 2);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, mesh_up, mesh_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(members),
		TEST(a_pin_needs_no_ca),
		TEST(tries_are_further_and_further_apart),
		TEST(what_an_operator_must_mend_is_tried_seldom),
		TEST(who_was_up_for_long_is_dialled_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
