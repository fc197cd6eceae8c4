/* SPDX-License-Identifier: MIT */
/* t/unit/derp_json.c - the JSON within ClientInfo. What derper 1.102.5 takes
 * was tried. */
#include "modules/derp/derp.h"
#include "t/unit/derp_help.h"

static void assert_refused(void)
{
	assert_false(alice->logging_in);
	assert_true(alice->closing);
	assert_int_equal(alice->why, HD_CLOSE_OWN(DERP_REASON_LOGIN_JSON));
	assert_int_equal(alice->out.n, 0);
	assert_int_equal(fake_metric("hyper_derp_derp_logins_refused_total",
				     "reason=\"json\""),
			 1);
}

static void good_json(void **state)
{
	static const char *const texts[] = {
		"null",
		"{}",
		" {\"version\":2}\n",
		"{\"version\":-7}",
		"{\"VERSION\":2,\"canackpings\":true,\"isprober\":false}",
		"{\"version\":null,\"CanAckPings\":null,\"AppName\":null}",
		"{\"unknown\":[1,{\"a\":\"b\"}],\"Other\":1e300}",
		"{\"huge\":123456789012345678901234567890,\"version\":2}",
		"{\"meshKey\":"
		"\"0123456789abcdef0123456789ABCDEF0123456789abcdef"
		"0123456789abcdef\"}",
		"{\"AppName\":\"\\u0000\\u263a\"}",
	};

	for (size_t i = 0; i < HD_ARRAY_N(texts); i++) {
		print_message("# %s\n", texts[i]);
		send_json(texts[i], strlen(texts[i]));
		assert_true(alice->logging_in);
		assert_int_equal(derp_alice_down(state), 0);
		assert_int_equal(derp_fast_up(state), 0);
	}
}

static void bad_json(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"2",
		"\"text\"",
		"[]",
		"true",
		"{} x",
		"{}{}",
		"{\"version\":\"2\"}",
		"{\"version\":2.5}",
		"{\"version\":123456789012345678901234567890}",
		"{\"Version\":true}",
		"{\"CanAckPings\":1}",
		"{\"IsProber\":\"yes\"}",
		"{\"AppName\":7}",
		"{\"AppName\":[]}",
		"{\"meshKey\":\"\"}",
		"{\"meshKey\":null}",
		"{\"meshKey\":12}",
		"{\"MESHKEY\":\"0123\"}",
		"{\"meshKey\":"
		"\"0123456789abcdef0123456789abcdef0123456789abcdef"
		"0123456789abcde\"}",
		"{\"meshKey\":"
		"\"0123456789abcdef0123456789abcdef0123456789abcdef"
		"0123456789abcdef0\"}",
		"{\"meshKey\":"
		"\"0123456789abcdef0123456789abcdef0123456789abcdef"
		"0123456789abcdeg\"}",
	};

	for (size_t i = 0; i < HD_ARRAY_N(texts); i++) {
		print_message("# %s\n", texts[i]);
		send_json(texts[i], strlen(texts[i]));
		assert_refused();
		assert_int_equal(derp_alice_down(state), 0);
		assert_int_equal(derp_fast_up(state), 0);
	}
}

static void nul_behind_the_json_is_refused(void **state)
{
	(void)state;
	send_json("{}", 3);
	assert_refused();
}

static void largest_client_info_logs_in(void **state)
{
	static char json[262144 - 32 - 24 - 16];

	(void)state;
	memset(json, ' ', sizeof(json));
	json[0] = '{';
	json[sizeof(json) - 1] = '}';
	send_json(json, sizeof(json));
	assert_true(alice->logging_in);
}

static void deep_json_is_refused(void **state)
{
	static char json[200 * 1024];

	(void)state;
	memset(json, '[', sizeof(json));
	send_json(json, sizeof(json));
	assert_refused();
}

static void a_mesh_key_does_not_help(void **state)
{
	static const char json[] =
		"{\"meshKey\":"
		"\"0123456789abcdef0123456789abcdef0123456789abcdef"
		"0123456789abcdef\"}";

	(void)state;
	send_json(json, strlen(json));
	fake_admit(alice);
	assert_false(alice->closing);
	feed(alice, "10 00000000");
	assert_true(alice->closing);
}

static void app_name_cannot_forge_a_log_line(void **state)
{
	static const char json[] = "{\"AppName\":\"ab\\nkey=1 \\u00e9\"}";

	(void)state;
	send_json(json, strlen(json));
	assert_string_equal(alice->peer.login.agent, "ab?key=1???");
}

static void long_app_name_is_cut(void **state)
{
	char json[300] = "{\"AppName\":\"";

	(void)state;
	memset(json + 12, 'x', 200);
	strcpy(json + 212, "\"}");
	send_json(json, strlen(json));
	assert_int_equal(strlen(alice->peer.login.agent), 63);
}

#define TEST(fn)                                                               \
	cmocka_unit_test_setup_teardown(fn, derp_fast_up, derp_alice_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(good_json),
		TEST(bad_json),
		TEST(nul_behind_the_json_is_refused),
		TEST(largest_client_info_logs_in),
		TEST(deep_json_is_refused),
		TEST(a_mesh_key_does_not_help),
		TEST(app_name_cannot_forge_a_log_line),
		TEST(long_app_name_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
