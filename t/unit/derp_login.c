/* SPDX-License-Identifier: MIT */
/* t/unit/derp_login.c - ClientInfo and ServerInfo: who may log in. What derper
 * 1.102.5 does with each was tried. */
#include "modules/derp/derp.h"
#include "t/unit/derp_help.h"

/* doc/reference/protocol-derp.md; sealed by another implementation (Go,
 * x/crypto). */
#define CLIENT_INFO                                                            \
	"02 00000068 " ALICE_PUBLIC                                            \
	" 242424242424242424242424242424242424242424242424"                    \
	" 2f017389f9ebd71918bfce0de0a2055c d409ba43a65061156755913f72104dde"   \
	" 3220c9283b5ccc1dbb1d9dcebfb26101 "

static uint64_t refused(const char *labels)
{
	return fake_metric("hyper_derp_derp_logins_refused_total", labels);
}

static void assert_refused(const char *labels)
{
	assert_false(alice->logging_in);
	assert_true(alice->closing);
	assert_in_range(alice->why, HD_CLOSE_OWN(DERP_REASON_LOGIN_FRAME),
			HD_CLOSE_OWN(DERP_REASON_LOGIN_JSON));
	assert_int_equal(alice->out.n, 0);
	assert_int_equal(refused(labels), 1);
}

/* ---- the good way ---- */

static void box_of_another_implementation_opens(void **state)
{
	(void)state;
	feed(alice, CLIENT_INFO);
	assert_true(alice->logging_in);
	assert_hex(alice->peer.login.key.b, 32, ALICE_PUBLIC);
	assert_int_equal(alice->peer.login.realm, 0);
	assert_false(alice->peer.login.prober);
	assert_int_equal(alice->peer.login.flags, 1);
	assert_string_equal(alice->peer.login.agent, "");
}

static void nothing_is_said_before_admission(void **state)
{
	(void)state;
	feed(alice, CLIENT_INFO);
	assert_int_equal(alice->out.n, 0);
	assert_int_equal(alice->timer_ms[0], 0);
}

static void server_info_opens(void **state)
{
	uint8_t text[13], server[32], private_key[32];

	(void)state;
	hex(SERVER_PUBLIC, server);
	hex(ALICE_PRIVATE, private_key);
	feed(alice, CLIENT_INFO);
	fake_admit(alice);
	assert_int_equal(alice->lane[HD_LANE_CONTROL].n, 5 + 24 + 16 + 13);
	assert_hex(alice->out.v, 5, "03 00000035");
	assert_int_equal(crypto_box_open_easy(text, alice->out.v + 29, 29,
					      alice->out.v + 5, server,
					      private_key),
			 0);
	assert_memory_equal(text, "{\"version\":2}", 13);
	assert_int_equal(fake_metric("hyper_derp_derp_clients", NULL), 1);
}

/* Real clients send NotePreferred and Ping right behind, in one packet. */
static void frames_behind_the_login_wait_for_admission(void **state)
{
	(void)state;
	feed(alice, CLIENT_INFO "07 00000001 01"
				"12 00000008 0102030405060708");
	assert_int_equal(alice->in.n, 6 + 13);
	assert_int_equal(alice->out.n, 0);
	fake_admit(alice);
	assert_int_equal(alice->in.n, 0);
	assert_hex(alice->lane[HD_LANE_URGENT].v, alice->lane[HD_LANE_URGENT].n,
		   "13 00000008 0102030405060708");
	assert_int_equal(fake_metric("hyper_derp_derp_clients_home", NULL), 1);
}

static void login_comes_in_any_pieces(void **state)
{
	uint8_t bytes[256];
	size_t n = hex(CLIENT_INFO, bytes);

	for (size_t piece = 1; piece < n; piece++) {
		for (size_t at = 0; at < n; at += piece)
			fake_feed(alice, bytes + at, HD_MIN(piece, n - at));
		assert_true(alice->logging_in);
		assert_int_equal(derp_alice_down(state), 0);
		assert_int_equal(derp_fast_up(state), 0);
	}
}

static void prober_and_not_ideal_are_flags(void **state)
{
	static const char json[] = "{\"IsProber\":true}";
	const struct hd_route *route = fake_route("/derp", "DERP");
	struct hd_request req = { 0 };

	(void)state;
	fake_stream_free(&alice);
	alice = fake_stream_new(route->proto);
	fake_request_header(&req, "Ideal-Node", "derp1b");
	route->upgrade(&fake.module, &req, alice, alice->state);
	send_json(json, strlen(json));
	assert_true(alice->peer.login.prober);
	assert_int_equal(alice->peer.login.flags, 4 | 8); /* 1 alone */
	fake_admit(alice);
	assert_int_equal(fake_metric("hyper_derp_derp_clients_not_ideal", NULL),
			 1);
}

/* ---- frames that do not log in ---- */

static void another_frame_first_is_refused(void **state)
{
	(void)state;
	feed(alice, "12 00000008");
	assert_refused("reason=\"frame\"");
}

static void unknown_frame_first_is_refused(void **state)
{
	(void)state;
	feed(alice, "7f 00000000");
	assert_refused("reason=\"frame\"");
}

static void client_info_of_55_bytes_is_refused(void **state)
{
	(void)state;
	feed(alice, "02 00000037");
	assert_refused("reason=\"frame\"");
}

static void client_info_of_256_kib_and_1_is_refused(void **state)
{
	(void)state;
	feed(alice, "02 00040001");
	assert_refused("reason=\"frame\"");
}

static void client_info_without_a_box_is_refused(void **state)
{
	(void)state;
	feed(alice, "02 00000038 " ALICE_PUBLIC
		    " 000000000000000000000000000000000000000000000000");
	assert_refused("reason=\"box\"");
}

static void changed_box_is_refused(void **state)
{
	uint8_t bytes[256];
	size_t n = hex(CLIENT_INFO, bytes);

	(void)state;
	bytes[n - 1] ^= 1;
	fake_feed(alice, bytes, n);
	assert_refused("reason=\"box\"");
}

static void key_of_somebody_else_is_refused(void **state)
{
	uint8_t bytes[256];
	size_t n = hex(CLIENT_INFO, bytes);

	(void)state;
	hex(SERVER_PUBLIC, bytes + 5);
	fake_feed(alice, bytes, n);
	assert_refused("reason=\"box\"");
}

/* derper panics. */
static void zero_key_is_refused(void **state)
{
	uint8_t bytes[256];
	size_t n = hex(CLIENT_INFO, bytes);

	(void)state;
	memset(bytes + 5, 0, 32);
	fake_feed(alice, bytes, n);
	assert_refused("reason=\"key\"");
}

/* A point of small order: everybody would share its "secret". */
static void weak_key_is_refused(void **state)
{
	uint8_t bytes[256];
	size_t n = hex(CLIENT_INFO, bytes);

	(void)state;
	memset(bytes + 5, 0, 32);
	bytes[5] = 1;
	fake_feed(alice, bytes, n);
	assert_refused("reason=\"key\"");
}

static void header_is_enough_to_ask_for_the_rest(void **state)
{
	(void)state;
	feed(alice, "02 00040000");
	assert_int_equal(alice->want, 5 + 262144);
	assert_false(alice->closing);
}

static void ends_without_login_are_counted(void **state)
{
	(void)state;
	fake_close(alice, HD_CLOSE_TIMEOUT);
	assert_int_equal(refused("reason=\"timeout\""), 1);
	fake_close(alice, HD_CLOSE_DENIED);
	assert_int_equal(refused("reason=\"denied\""), 1);
	assert_int_equal(fake_metric("hyper_derp_derp_clients", NULL), 0);
}

#define TEST(fn)                                                               \
	cmocka_unit_test_setup_teardown(fn, derp_fast_up, derp_alice_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(box_of_another_implementation_opens),
		TEST(nothing_is_said_before_admission),
		TEST(server_info_opens),
		TEST(frames_behind_the_login_wait_for_admission),
		TEST(login_comes_in_any_pieces),
		TEST(prober_and_not_ideal_are_flags),
		TEST(another_frame_first_is_refused),
		TEST(unknown_frame_first_is_refused),
		TEST(client_info_of_55_bytes_is_refused),
		TEST(client_info_of_256_kib_and_1_is_refused),
		TEST(client_info_without_a_box_is_refused),
		TEST(changed_box_is_refused),
		TEST(key_of_somebody_else_is_refused),
		TEST(zero_key_is_refused),
		TEST(weak_key_is_refused),
		TEST(header_is_enough_to_ask_for_the_rest),
		TEST(ends_without_login_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
