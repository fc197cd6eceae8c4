/* SPDX-License-Identifier: MIT */
/* t/unit/derp_mesh.c - what other relays may: with the whole key, and nobody
 * else. Bytes are those of doc/reference/protocol-derp.md. */
#include <arpa/inet.h>
#include <errno.h>
#include <hyper-derp/presence.h>
#include "t/unit/derp_help.h"

#define MESH "00000000000000000000000000000000000000000000000000000000000000ab"
#define LOGIN "{\"meshKey\":\"" MESH "\",\"IsProber\":false}"

static int up(void **state)
{
	derp_mesh_key(" " MESH "\r\n");
	return derp_fast_up(state);
}

static void login(const char *json)
{
	send_json(json, strlen(json));
	assert_true(alice->logging_in);
	fake_admit(alice);
	fake_out_clear(alice);
}

/* ---- the key ---- */

static void a_file_without_a_key_is_refused(void **state)
{
	static const char *const texts[] = {
		"\n",
		"hello",
		MESH "0",
		MESH " " MESH,
		"00000000000000000000000000000000000000000000000000000000000000"
		"00",
		"0000000000000000000000000000000000000000000000000000000000000x"
		"yz",
	};

	for (unsigned i = 0; i < HD_ARRAY_N(texts); i++) {
		derp_mesh_key(texts[i]);
		assert_int_equal(derp_up(state), -1);
		fake_bytes_free(&fake.state_file);
	}
	derp_mesh_key(NULL);
}

static void another_relay_is_known(void **state)
{
	(void)state;
	login(LOGIN);
	assert_true(alice->peer.login.mesh);
	assert_int_equal(alice->peer.login.flags, DERP_PRESENT_MESH);
	assert_int_equal(fake_metric("hyper_derp_derp_mesh_peers", NULL), 1);
}

static void every_digit_counts(void **state)
{
	char json[] = LOGIN;

	(void)state;
	*strstr(json, "ab\"") = '8';
	login(json);
	assert_false(alice->peer.login.mesh);
	assert_int_equal(alice->peer.login.flags, DERP_PRESENT_REGULAR);
	feed(alice, "10 00000000");
	assert_true(alice->closing);
	assert_int_equal(fake.watches, 0);
}

/* Zeros are what a relay without a key has in its place. */
static void without_a_key_nobody_has_it(void **state)
{
	(void)state;
	login("{\"meshKey\":\"00000000000000000000000000000000"
	      "00000000000000000000000000000000\"}");
	assert_false(alice->peer.login.mesh);
}

/* ---- a module's word ---- */

/* As core/relay/admit.c does it, between the login and admitted(). */
static void login_as(const char *json, bool mesh)
{
	send_json(json, strlen(json));
	assert_true(alice->logging_in);
	alice->peer.login.mesh = mesh;
	fake_admit(alice);
	fake_out_clear(alice);
}

static void it_counts_more_than_the_key(void **state)
{
	(void)state;
	login_as("{}", true);
	assert_int_equal(alice->peer.login.flags, DERP_PRESENT_MESH);
	assert_int_equal(fake_metric("hyper_derp_derp_mesh_peers", NULL), 1);
	feed(alice, "10 00000000");
	assert_int_equal(fake.watches, 1);
}

static void the_key_is_not_enough(void **state)
{
	(void)state;
	login_as(LOGIN, false);
	assert_int_equal(alice->peer.login.flags, DERP_PRESENT_REGULAR);
	assert_int_equal(fake_metric("hyper_derp_derp_mesh_peers", NULL), 0);
	feed(alice, "10 00000000");
	assert_true(alice->closing);
	assert_int_equal(fake.watches, 0);
}

/* ---- frames ---- */

static void it_may_watch_forward_close(void **state)
{
	struct hd_key aa, bb;

	(void)state;
	memset(&aa, 0xaa, sizeof(aa));
	memset(&bb, 0xbb, sizeof(bb));
	login(LOGIN);
	feed(alice, "10 00000000 0a 00000042 aa.. bb.. 6869 11 00000020 aa..");
	assert_false(alice->closing);
	assert_int_equal(fake.watches, 1);
	assert_memory_equal(&fake.forwarded, &aa, sizeof(aa));
	assert_memory_equal(&fake.sent[0].dst, &bb, sizeof(bb));
	assert_int_equal(fake.sent[0].len_bytes, 2);
	assert_memory_equal(fake.sent[0].head, "hi", 2);
	assert_memory_equal(&fake.kicked, &aa, sizeof(aa));
}

/* Both kinds in one read, the last one cut off: as a relay that is a client,
 * too, may send them. */
static void packets_of_both_kinds_mix(void **state)
{
	(void)state;
	login(LOGIN);
	feed(alice, "04 00000021 cc.. 31 0a 00000041 aa.. bb.. 32"
		    "0a 00000040 aa.. bb.. 04 00000021 cc.. 33"
		    "0a 00000042 aa.. bb.. 34");
	assert_int_equal(fake.n_sent, 4);
	feed(alice, "35 12 00000008 0102030405060708");
	assert_int_equal(fake.n_sent, 5);
	assert_memory_equal(fake.sent[4].head, "45", 2);
	assert_false(alice->closing);
	assert_int_equal(
		fake_metric("hyper_derp_derp_mesh_packets_received_total",
			    "kind=\"other\""),
		3);
}

static void wrong_lengths_close(void **state)
{
	static const char *const frames[] = {
		"10 00000001", "0a 0000003f", "0a 00010041",
		"11 0000001f", "11 00000021",
	};

	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(frames); i++) {
		login(LOGIN);
		feed(alice, frames[i]);
		assert_true(alice->closing);
		fake_close(alice, HD_CLOSE_PROTOCOL);
		fake_stream_free(&alice);
		alice = derp_fast();
	}
}

/* ---- what it is told ---- */

static void tell(bool present, const union hd_addr *addr)
{
	struct hd_key bb;
	struct hd_presence what = { .key = &bb,
				    .present = present,
				    .flags = DERP_PRESENT_REGULAR,
				    .addr = addr };

	memset(&bb, 0xbb, sizeof(bb));
	fake_out_clear(alice);
	alice->proto->peer->presence(&fake.module, &alice->peer, &what);
}

static void assert_told(const char *text)
{
	assert_hex(alice->lane[HD_LANE_CONTROL].v,
		   alice->lane[HD_LANE_CONTROL].n, text);
}

static void presence_has_address_and_flags(void **state)
{
	union hd_addr in = { .in = { .sin_family = AF_INET,
				     .sin_port = htons(443),
				     .sin_addr.s_addr = htonl(0xc0000201) } };
	union hd_addr in6 = { .in6 = { .sin6_family = AF_INET6,
				       .sin6_port = htons(443) } };
	union hd_addr local = { .sa.sa_family = AF_UNIX };

	(void)state;
	login(LOGIN);
	memset(&in6.in6.sin6_addr, 0x20, 16);
	tell(true, &in);
	assert_told("09 00000033 bb.. 00000000000000000000ffffc0000201 "
		    "01bb 01");
	tell(true, &in6);
	assert_told("09 00000033 bb.. 20202020202020202020202020202020 "
		    "01bb 01");
	tell(true, &local);
	assert_told("09 00000033 bb.. 00000000000000000000000000000000 "
		    "0000 01");
	tell(false, &in);
	assert_told("08 00000021 bb.. 00");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, up, derp_alice_down)

static int up_without(void **state)
{
	derp_mesh_key(NULL);
	return derp_fast_up(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_without_a_key_is_refused),
		TEST(another_relay_is_known),
		TEST(every_digit_counts),
		TEST(it_counts_more_than_the_key),
		TEST(the_key_is_not_enough),
		TEST(it_may_watch_forward_close),
		TEST(packets_of_both_kinds_mix),
		TEST(wrong_lengths_close),
		TEST(presence_has_address_and_flags),
		cmocka_unit_test_setup_teardown(without_a_key_nobody_has_it,
						up_without, derp_alice_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
